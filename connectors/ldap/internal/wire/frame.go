package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// MaxMessage is the largest message that is accepted, in bytes: an entry with a million values fits.
	MaxMessage = 128 << 20
	// MaxValue is the largest value that an entry may have, in bytes: a photo fits.
	MaxValue = 8 << 20
)

// readFrame reads one LDAPMessage and returns what is inside its envelope.
func readFrame(r *bufio.Reader) (string, error) {
	head, err := r.Peek(2)
	if err != nil {
		return "", err
	}
	if head[0] != tagSequence {
		return "", malformed("envelope is not a sequence")
	}
	n, skip := int(head[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 {
			return "", malformed("length of the envelope")
		}
		if head, err = r.Peek(2 + size); err != nil {
			return "", unexpected(err)
		}
		n = 0
		for _, b := range head[2:] {
			n = n<<8 | int(b)
		}
		skip += size
	}
	if n > MaxMessage {
		return "", fmt.Errorf("%w: message of %d bytes, more than %d", ErrMalformed, n, MaxMessage)
	}
	_, _ = r.Discard(skip)
	return readText(r, n)
}

// readText reads n bytes. It does not trust n with memory before the bytes are there.
func readText(r *bufio.Reader, n int) (string, error) {
	if n <= r.Size() {
		content, err := r.Peek(n)
		if err != nil {
			return "", unexpected(err)
		}
		text := string(content)
		_, _ = r.Discard(n)
		return text, nil
	}
	var text strings.Builder
	if _, err := io.CopyN(&text, r, int64(n)); err != nil {
		return "", unexpected(err)
	}
	return text.String(), nil
}

// unexpected makes the end of the stream inside a message distinguishable from one between messages.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
