// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/crane-bake/crane-bake/bake"
)

// A source is a file, directory or archive that a bake file or a Dockerfile
// names, beside which extract writes it.
type source struct {
	bake.InspectedFile
	name string // relative
}

// sources gives the bake's files names: the last part of their in-image paths,
// or all of it where two have the same.
func (b *bakeOf) sources() []source {
	var sources []source
	names := map[string]string{} // by path
	taken := map[string]bool{"": true, "/": true, ".": true, "bake.yaml": true, "Dockerfile": true}
	for _, f := range b.Files {
		if names[f.Path] == "" {
			full, suffix := strings.TrimPrefix(path.Clean(f.Path), "/"), ""
			if f.Role == bake.RoleUnpack {
				suffix = ".tar" // what it was called is not known
			}
			for _, name := range []string{path.Base(full), full, "root/" + full} {
				if name += suffix; !taken[name] {
					names[f.Path] = name
					taken[name] = true
					break
				}
			}
		}
		sources = append(sources, source{f, names[f.Path]})
	}
	return sources
}

// bakedFrom is the base as FROM and a bake file name it, "" where the image does
// not tell.
func (b *bakeOf) bakedFrom() string {
	digest := b.baseDigest()
	if b.Base.Name == "" || digest == nil {
		return b.Base.Name
	}
	name, _, _ := strings.Cut(b.Base.Name, "@")
	return name + "@" + digest.String()
}

// chosen is the platforms that the bake was made for, where it was not for all
// that the base has.
func (b *bakeOf) chosen() []string {
	if b.index && b.whole && len(b.platforms) == 1 || !b.index && b.Base.Index == nil {
		return nil
	}
	return b.platforms
}

// A bakeFile is the keys of a bake file, in the order of its reference.
type bakeFile struct {
	Base          string            `yaml:"base"`
	Model         string            `yaml:"model,omitempty"`
	Schemas       map[string]string `yaml:"schemas,omitempty"`
	Streams       map[int]string    `yaml:"streams,omitempty"`
	Attachments   []string          `yaml:"attachments,omitempty"`
	Unpack        map[string]string `yaml:"unpack,omitempty"`
	Assets        []string          `yaml:"assets,omitempty"`
	ConnectPrefix string            `yaml:"connectPrefix,omitempty"`
	AssetsDir     string            `yaml:"assetsDir,omitempty"`
	Env           map[string]string `yaml:"env,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
	User          string            `yaml:"user,omitempty"`
	Workdir       string            `yaml:"workdir,omitempty"`
	Entrypoint    *[]string         `yaml:"entrypoint,omitempty"`
	Cmd           *[]string         `yaml:"cmd,omitempty"`
	StopSignal    string            `yaml:"stopSignal,omitempty"`
	Ports         []string          `yaml:"ports,omitempty"`
	Volumes       []string          `yaml:"volumes,omitempty"`
	Platforms     []string          `yaml:"platforms,omitempty"`
	Compression   string            `yaml:"compression,omitempty"`
	Layers        string            `yaml:"layers,omitempty"`
}

// bakefileText is a bake file that would make the image.
func bakefileText(b *bakeOf) (string, error) {
	f := bakeFile{
		Base: literal(b.bakedFrom()), Labels: literals(b.Labels.Set), Annotations: literals(b.Annotations.Set),
		Platforms: b.chosen(), Schemas: map[string]string{}, Streams: map[int]string{}, Unpack: map[string]string{},
	}
	if f.Base == "" {
		f.Base = "${BASE:?name the engine image, which the baked image does not}"
	}
	dir := bake.DefaultAssetsDir
	if b.Bindings.Model != "" {
		dir = path.Dir(b.Bindings.Model)
	} else if b.Record != nil && b.Record.AssetsDir != "" {
		dir = b.Record.AssetsDir
	}
	if dir != bake.DefaultAssetsDir {
		f.AssetsDir = literal(dir)
	}
	if r := b.Record; r != nil {
		if r.Compression != (bake.Compression{}).String() {
			f.Compression = r.Compression
		}
		if r.LayerMode != bake.LayersAuto {
			f.Layers = string(r.LayerMode)
		}
	}
	env := maps.Clone(b.Env.Set)
	f.ConnectPrefix = literal(env["CONNECT_PREFIX"])
	delete(env, "CONNECT_PREFIX")
	b.fill(&f, dir, env)
	f.Env = literals(env)
	var out bytes.Buffer
	fmt.Fprintf(&out, "# What is baked into %s.\n", printable(b.image))
	out.WriteString("# \"crane-bake extract\" writes the files that this names, and a bake file for them.\n")
	for _, k := range slices.Sorted(maps.Keys(b.Settings)) {
		if !f.set(k, b.Settings[k]) {
			fmt.Fprintf(&out, "# The image's config also has %s: %s\n", printable(k), printable(string(b.Settings[k])))
		}
	}
	text, err := encodeYAML(f)
	return out.String() + text, err
}

// encodeYAML is v in YAML, with escapes for what no terminal should see.
func encodeYAML(v any) (string, error) {
	var root yaml.Node
	if err := root.Encode(v); err != nil {
		return "", err
	}
	quoteUnprintable(&root)
	var out strings.Builder
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return "", err
	}
	escaped := escapeUnprintable(out.String(), func(r rune) string { return fmt.Sprintf(`\U%08x`, r) })
	return escaped, enc.Close()
}

// quoteUnprintable puts scalars into double quotes that need escapes.
func quoteUnprintable(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && printable(n.Value) != n.Value {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, below := range n.Content {
		quoteUnprintable(below)
	}
}

// fill adds the files. A variable one of whose files lies elsewhere than in dir
// stays in env, and its files are further assets.
func (b *bakeOf) fill(f *bakeFile, dir string, env map[string]string) {
	sources := b.sources()
	variables := map[bake.Role]string{bake.RoleModel: "MODEL", bake.RoleSchema: "SCHEMAS", bake.RoleStream: "STREAMS", bake.RoleAttachment: "ATTACHMENTS"}
	elsewhere := map[bake.Role]bool{}
	for _, s := range sources {
		if s.Role != bake.RoleModel && path.Dir(s.Path) != dir {
			elsewhere[s.Role] = true
		}
	}
	seen := map[string]bool{}
	for _, s := range sources {
		name := literal(s.name)
		role := s.Role
		if elsewhere[role] && role != bake.RoleUnpack {
			role = bake.RoleAsset
		} else {
			delete(env, variables[role])
		}
		switch role {
		case bake.RoleModel:
			f.Model = name
		case bake.RoleSchema:
			f.Schemas[s.Name] = name
		case bake.RoleStream:
			slot, _ := strconv.Atoi(s.Name) // it was a number
			f.Streams[slot] = name
		case bake.RoleAttachment:
			f.Attachments = append(f.Attachments, name)
		case bake.RoleUnpack:
			f.Unpack[name] = literal(s.Path)
		default:
			if seen[s.Path] {
				continue
			}
			plain := strings.ReplaceAll(name, "=", "_") // what follows the first = is the destination
			if plain != name || path.Join(dir, path.Base(s.name)) != s.Path {
				name = plain + "=" + literal(s.Path)
			}
			f.Assets = append(f.Assets, name)
		}
		seen[s.Path] = true
	}
}

// set takes over a member of the config, if a bake file has a key for that.
func (f *bakeFile) set(key string, raw json.RawMessage) bool {
	texts := map[string]*string{"User": &f.User, "WorkingDir": &f.Workdir, "StopSignal": &f.StopSignal}
	lists := map[string]*[]string{"ExposedPorts": &f.Ports, "Volumes": &f.Volumes}
	commands := map[string]**[]string{"Entrypoint": &f.Entrypoint, "Cmd": &f.Cmd}
	var text string
	words := []string{}
	isText := json.Unmarshal(raw, &text) == nil && text != ""
	isList := json.Unmarshal(raw, &words) == nil
	for i, w := range words {
		words[i] = literal(w)
	}
	switch {
	case texts[key] != nil && isText:
		*texts[key] = literal(text)
	case lists[key] != nil && isList:
		*lists[key] = words
	case commands[key] != nil && isList:
		*commands[key] = &words // null is what cleared it, an empty list
	default:
		return false
	}
	return true
}

// literal is text as a bake file's value: without variables.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func literals(m map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = literal(v)
	}
	return out
}
