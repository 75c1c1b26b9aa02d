package socket

import (
	"context"
	"net"
	"net/http"
	"os/user"
	"regexp"
	"strconv"

	"dirsyncd/sync/api"
)

// headerSudo names the user whom sudo let act as another one. The socket's mode lets nobody connect who could not do all
// this without asking, so that their word is taken.
const headerSudo = "Dirsyncd-Sudo-User"

type peerKey struct{}

// withPeer keeps which user's process is at the other end of a connection.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	sock, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	if uid, ok := peerOf(sock); ok {
		ctx = context.WithValue(ctx, peerKey{}, uid)
	}
	return ctx
}

// accountName is what names of accounts look like; anything else in a header is left out.
var accountName = regexp.MustCompile(`^[\pL\pN_.@\\-][\pL\pN_.@\\ -]{0,63}$`)

// asker is the context of an operation that goes on when the client leaves, with the user who asks for it.
func (s *Server) asker(r *http.Request) context.Context {
	uid, ok := r.Context().Value(peerKey{}).(uint32)
	if !ok {
		return s.ctx
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	sudo := r.Header.Get(headerSudo)
	if !accountName.MatchString(sudo) {
		sudo = ""
	}
	return api.WithUser(s.ctx, api.UserName(name, sudo))
}
