package service

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// program names the build that runs by what is in its file. That is asked of the system by process, for an update puts another file under
// its name while this one goes on. Where the system cannot say, the build is not known, and nothing hangs on it.
func program() string {
	f, err := os.Open("/proc/self/exe") // proc(5)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
