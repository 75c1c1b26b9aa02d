package sambatest

import "os/exec"

// ReadRights are the rights to see what is below an entry and to read its attributes, as the security descriptor
// definition language writes them (MS-DTYP 2.5.1.1).
const ReadRights = "LCRP"

// Allow gives an account rights on an entry and what is below.
func (s *Server) Allow(dn, account, rights string) {
	s.tb.Helper()
	s.editRights(dn, "add", "(A;CI;"+rights+";;;"+s.SID(account)+")")
}

// Forget takes back what Allow gave.
func (s *Server) Forget(dn, account, rights string) {
	s.tb.Helper()
	s.editRights(dn, "remove", "(A;CI;"+rights+";;;"+s.SID(account)+")")
}

// Deny takes rights on an entry and what is below from an account, whatever its groups may do.
func (s *Server) Deny(dn, account, rights string) {
	s.tb.Helper()
	s.editRights(dn, "add", "(D;CI;"+rights+";;;"+s.SID(account)+")")
}

// AllowReplication gives an account the right Replicating Directory Changes on the domain (MS-ADTS 5.1.3.2.1).
func (s *Server) AllowReplication(account string) {
	s.tb.Helper()
	s.editRights(Suffix, "add", "(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;"+s.SID(account)+")")
}

// editRights changes the rights in the server's own database: not even an administrator may see those of
// CN=Deleted Objects before taking its ownership.
func (s *Server) editRights(dn, what, ace string) {
	s.tb.Helper()
	out, err := exec.Command(systemPython, "-c", rightsScript, s.path("smb.conf"), s.path("private/sam.ldb"), dn, what, ace).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("sambatest: %s rights of %s: %v\n%s", what, dn, err, out)
	}
}

// systemPython is the interpreter that Debian installs the samba module for.
const systemPython = "/usr/bin/python3"

const rightsScript = `
import sys
from samba.auth import system_session
from samba.dcerpc import security
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

conf, path, dn, what, ace = sys.argv[1:]
lp = LoadParm()
lp.load(conf)
db = SamDB(url=path, session_info=system_session(), lp=lp)
controls = ["sd_flags:1:4", "show_deleted:1"]
utils = SDUtils(db)
sid = security.dom_sid(db.get_domain_sid())
sddl = utils.read_sd_on_dn(dn, controls).as_sddl(sid)
if what == "add":
    at = sddl.index("(")
    sddl = sddl[:at] + ace + sddl[at:]
else:
    parts = ace[1:-1].split(";")
    rid = parts[-1]
    kept = [a for a in sddl.split("(") if not (a.startswith("A;") and rid in a)]
    sddl = "(".join(kept)
utils.modify_sd_on_dn(dn, security.descriptor.from_sddl(sddl, sid), controls)
`
