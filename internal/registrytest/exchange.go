// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// An exchange is a request under way: what is written to it is recorded and
// suffers the fault.
type exchange struct {
	http.ResponseWriter
	server  *Server
	request *http.Request
	entry   *entry
	fault   Fault

	mu     sync.Mutex // the body of a request may be read beside the handler
	gone   bool       // the connection was cut
	status int
	sent   int64
}

// wait reports false where the client went away or the server must stop.
func (x *exchange) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.request.Context().Done():
	case <-x.server.stopping:
	}
	return false
}

func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writeHeader(status)
}

func (x *exchange) writeHeader(status int) {
	if x.gone || x.status != 0 {
		return
	}
	x.status = status
	if x.fault.After {
		return
	}
	x.server.journal.sending(x.entry)
	x.server.journal.touch(func() { x.entry.Status = status })
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writeHeader(http.StatusOK)
	if x.gone {
		return 0, io.ErrClosedPipe
	}
	if x.fault.After {
		return len(p), nil // the handler is to finish as if all were well
	}
	out := x.corrupt(p)
	limit := x.fault.CutResponse
	if limit > 0 {
		out = out[:min(int64(len(out)), limit-x.sent)]
	}
	x.server.journal.sending(x.entry)
	n, err := x.ResponseWriter.Write(out)
	x.sent += int64(n)
	x.server.journal.touch(func() { x.entry.ResponseBytes += int64(n) })
	if limit > 0 && x.sent == limit {
		_ = http.NewResponseController(x.ResponseWriter).Flush() // the client may be gone
		x.close()
		return len(p), nil
	}
	return n, err
}

// corrupt flips the lowest bit in the middle of the body, if p holds it.
func (x *exchange) corrupt(p []byte) []byte {
	if !x.fault.Corrupt {
		return p
	}
	length, _ := strconv.ParseInt(x.Header().Get("Content-Length"), 10, 64)
	at := length/2 - x.sent
	if at < 0 || at >= int64(len(p)) {
		return p
	}
	out := append([]byte(nil), p...)
	out[at] ^= 1
	return out
}

func (x *exchange) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.close()
}

// close takes an HTTP/1 connection away at once. A stream of HTTP/2 ends in
// finish.
func (x *exchange) close() {
	if x.gone {
		return
	}
	x.gone = true
	if x.request.ProtoMajor > 1 {
		return
	}
	conn, buffered, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // cuts as well, if later
	}
	_ = buffered.Flush() // the client may be gone
	_ = conn.Close()
}

// finish resets the stream of an HTTP/2 request that was cut.
func (x *exchange) finish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone && x.request.ProtoMajor > 1 {
		panic(http.ErrAbortHandler)
	}
}

// A requestBody counts, slows and cuts what is read of a request.
type requestBody struct {
	io.ReadCloser
	exchange *exchange
	read     int64
}

func (b *requestBody) Read(p []byte) (int, error) {
	x := b.exchange
	if limit := x.fault.CutRequest; limit > 0 {
		if b.read >= limit {
			x.cut()
			return 0, io.ErrUnexpectedEOF
		}
		p = p[:min(int64(len(p)), limit-b.read)]
	}
	if rate := x.server.opts.UploadRate; rate > 0 {
		p = p[:min(int64(len(p)), max(rate/100, 1))]
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	x.server.journal.touch(func() { x.entry.RequestBytes += int64(n) })
	if rate := x.server.opts.UploadRate; rate > 0 && !x.wait(time.Duration(n)*time.Second/time.Duration(rate)) {
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}
