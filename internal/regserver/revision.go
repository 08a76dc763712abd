// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A revision is a manifest as a repository keeps it.
type revision struct {
	digest    digest
	mediaType string
	raw       []byte
}

// revision reads the manifest that ref, a tag or a digest, stands for. It is
// fs.ErrNotExist where there is none.
func (s *store) revision(name, ref string) (*revision, error) {
	d, err := s.resolve(name, ref)
	if err != nil {
		return nil, err
	}
	mediaType, err := s.read(manifestKey(name, d))
	if err != nil {
		return nil, err
	}
	raw, err := s.read(contentKey(d))
	if err != nil {
		return nil, err
	}
	return &revision{digest: d, mediaType: string(mediaType), raw: raw}, nil
}

func (s *store) resolve(name, ref string) (digest, error) {
	if strings.Contains(ref, ":") {
		return parseDigest(ref)
	}
	if !validTag(ref) {
		return "", fs.ErrNotExist
	}
	d, err := s.read(tagKey(name, ref))
	return digest(d), err
}

// addRevision stores m and then lets tag, if it has one, point to it.
func (s *store) addRevision(name string, m *manifest, tag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := m.checkReferences(s, name); err != nil {
		return err
	}
	if err := s.put(contentKey(m.digest), m.raw); err != nil {
		return fmt.Errorf("storing %s: %w", m.digest, err)
	}
	if err := s.put(manifestKey(name, m.digest), []byte(m.mediaType)); err != nil {
		return fmt.Errorf("storing %s: %w", m.digest, err)
	}
	if m.Subject != nil {
		desc, err := json.Marshal(m.descriptor())
		if err == nil {
			err = s.put(referrerKey(name, digest(m.Subject.Digest), m.digest), desc)
		}
		if err != nil {
			return fmt.Errorf("storing the referrer %s: %w", m.digest, err)
		}
	}
	if tag == "" {
		return nil
	}
	if err := s.put(tagKey(name, tag), []byte(m.digest)); err != nil {
		return fmt.Errorf("tagging %s: %w", m.digest, err)
	}
	return nil
}

func (s *store) removeTag(name, tag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(tagKey(name, tag))
}

// removeRevision removes a manifest and, before it, every tag that points to
// it, so that no tag is left without its manifest.
func (s *store) removeRevision(name string, d digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, err := s.revision(name, string(d))
	if err != nil {
		return err
	}
	tags, err := s.tags(name)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		switch pointed, err := s.resolve(name, tag); {
		case err != nil:
			return err
		case pointed == d:
			if err := s.remove(tagKey(name, tag)); err != nil {
				return err
			}
		}
	}
	var body manifestBody
	if err := json.Unmarshal(rev.raw, &body); err != nil {
		return fmt.Errorf("reading %s: %w", d, err)
	}
	if body.Subject != nil {
		err := s.remove(referrerKey(name, digest(body.Subject.Digest), d))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := s.remove(manifestKey(name, d)); err != nil {
		return err
	}
	return s.sweep(d)
}

func referrerKey(name string, subject, referrer digest) string {
	return repoKey(name, "referrers", subject.file(), referrer.file())
}

// referrers are the descriptors of the manifests whose subject is d, sorted by
// their digest.
func (s *store) referrers(name string, d digest) ([]descriptor, error) {
	files, err := s.list(repoKey(name, "referrers", d.file()))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	found := []descriptor{} // an empty index has "manifests":[]
	for _, file := range files {
		data, err := s.read(repoKey(name, "referrers", d.file(), file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		var desc descriptor
		if err := json.Unmarshal(data, &desc); err != nil {
			return nil, fmt.Errorf("reading the referrers of %s: %w", d, err)
		}
		found = append(found, desc)
	}
	return found, nil
}
