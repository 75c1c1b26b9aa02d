package sambatest

import "testing"

// TestServer starts a domain controller and makes every kind of change on it.
func TestServer(t *testing.T) {
	s := Start(t)
	reader := s.AddReader("reader")
	s.Allow(DeletedObjects, reader, ReadRights)
	s.Forget(DeletedObjects, reader, ReadRights)
	ou := s.AddOU("Staff", Suffix)
	ada := s.AddUser("ada", ou, nil)
	guid := s.GUID(ada)
	inner := s.AddGroup("inner", ou, ada)
	outer := s.AddGroup("outer", ou)
	s.AddMember(outer, inner)
	s.RemoveMember(inner, ada)
	s.Deny(ou, reader, ReadRights)
	ou = s.Rename(ou, "OU=People", "")
	ada = "CN=ada," + ou
	s.Delete(ada)
	s.Undelete(guid, ada)
	if back := s.GUID(ada); back != guid {
		t.Errorf("after the undelete the GUID is %s, want %s", back, guid)
	}
	s.Restart()
	if _, err := s.connect("reader@"+Domain, ReaderPassword); err != nil {
		t.Error(err)
	}
}
