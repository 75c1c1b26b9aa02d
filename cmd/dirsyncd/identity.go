package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// becomeOwner gives up root's rights for those of the user to whom the state belongs, as `sudo -u` would, before
// anything of the configuration is used. Who may write in the folders of the service could otherwise make root write
// through links, and what root creates there would be closed to the service. It does nothing for anybody but root, and
// nothing where the state is root's own. There is no way back.
func (cli *cli) becomeOwner() error {
	if os.Geteuid() != 0 {
		return nil
	}
	file, err := config.Find(cli.opts.config)
	if err != nil {
		return err
	}
	state, err := config.StateFile(file)
	if err != nil {
		return err
	}
	return cli.becomeOwnerOf(settings.Path(state))
}

// becomeOwnerOf is becomeOwner for a state that was named: the first of some that is a file. Of a database the rights of this process are no matter.
func (cli *cli) becomeOwnerOf(files ...settings.Path) error {
	state := string(cmp.Or(files...))
	if state == "" || os.Geteuid() != 0 {
		return nil
	}
	uid, gid := ownerOf(state)
	if uid == 0 {
		return nil
	}
	cli.actsAs = strconv.Itoa(uid)
	groups := []int{gid}
	if u, err := user.LookupId(cli.actsAs); err == nil {
		cli.actsAs = u.Username
		groups = append(groups, groupsOf(u)...)
	}
	for _, give := range []func() error{
		func() error { return syscall.Setgroups(groups) },
		func() error { return syscall.Setgid(gid) },
		func() error { return syscall.Setuid(uid) },
	} {
		if err := give(); err != nil {
			return &fault.Error{Class: fault.Configuration, Op: "act as " + cli.actsAs + ", to whom the state belongs", Where: state,
				Err: err, Hint: "run the command as that user"}
		}
	}
	return nil
}

// operator is the user who runs the command.
func operator() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return api.UserName(name, os.Getenv("SUDO_USER"))
}

// ownerOf returns who decides what a path leads to: the owner of its folder, or somebody other than root who made a
// link on the way to it. A folder that is not there yet will be made in the one above.
func ownerOf(path string) (uid, gid int) {
	for p := path; ; p = filepath.Dir(p) {
		if info, err := os.Lstat(p); err == nil && info.Mode().Type() == fs.ModeSymlink {
			if uid, gid := owner(info); uid != 0 {
				return uid, gid
			}
		}
		if p == filepath.Dir(p) {
			break
		}
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil {
			return owner(info)
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return 0, 0
		}
	}
}

func owner(info fs.FileInfo) (uid, gid int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), int(s.Gid)
	}
	return 0, 0
}

// groupsOf are the groups of a user, one of which may open the configuration.
func groupsOf(u *user.User) (groups []int) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	return groups
}

// actingHint adds to an error that something may not be done who it was that may not do it.
func (cli *cli) actingHint(err error) string {
	hint := fault.Hint(err)
	if cli.actsAs == "" || !errors.Is(err, fs.ErrPermission) {
		return hint
	}
	who := fmt.Sprintf("the command acted as %s, to whom the state belongs, as the service does", cli.actsAs)
	if hint == "" {
		return who
	}
	return who + "; " + hint
}
