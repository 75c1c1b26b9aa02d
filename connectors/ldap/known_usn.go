package ldap

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A domain controller numbers the changes of its own database, and keeps of every other one up to which number it has
// heard of everything: the up-to-dateness vector of a naming context (MS-DRSR 5.207, replUpToDateVector in MS-ADA3). Only by
// that can what was read from one controller be held against another.

// behindUSN says by how much a domain controller has heard of less than was read before, and notes what it has heard of.
func (r *reading) behindUSN(areas []area, before map[string]map[string]uint64) (how string, err error) {
	last, err := strconv.ParseUint(r.session.root.lastUSN, 10, 64)
	if err != nil || r.session.root.settings == "" || globalCatalogue(r.session.server) {
		if len(before) > 0 {
			how = "it does not say how much it knows: a global catalogue, or it shows the bind user no highestCommittedUSN"
		}
		return how, nil
	}
	own, err := r.invocation()
	if err != nil {
		return "", err
	}
	for _, a := range areas {
		vector, err := r.upToDateness(a.suffix)
		if err != nil {
			return "", err
		}
		if own != "" {
			vector[own] = last
		}
		for _, database := range sortedKeys(before[a.suffix]) {
			if how := usnLag(vector, own, database, before[a.suffix][database]); how != "" {
				return how + ", of " + a.suffix, nil
			}
		}
		if own == "" {
			continue // it cannot be told which database was read
		}
		if vector[own], err = r.lastChange(a.suffix, 0, last); err != nil {
			return "", err
		}
		r.known.setUSN(a.suffix, vector)
	}
	return "", nil
}

func (k *known) setUSN(suffix string, vector map[string]uint64) {
	if k.USN == nil {
		k.USN = make(map[string]map[string]uint64)
	}
	k.USN[suffix] = vector
}

// knowsChanges notes what a domain controller has heard of, before what changed since a position is read from it.
func (r *reading) knowsChanges(suffix string, position *usnPosition, last uint64) error {
	vector, err := r.upToDateness(suffix)
	if err != nil {
		return err
	}
	newest, err := r.lastChange(suffix, position.USN, last)
	if err != nil {
		return err
	}
	vector[position.Invocation] = max(newest, r.known.USN[suffix][position.Invocation])
	r.known.setUSN(suffix, vector)
	return nil
}

// usnLag says by how much a domain controller with a vector has heard of less than the change with a number of a database.
func usnLag(vector map[string]uint64, own, database string, number uint64) string {
	heard, ok := vector[database]
	switch {
	case ok && heard >= number:
		return ""
	case len(vector) == 0 || own == "":
		return "the bind user sees neither its invocationId nor replUpToDateVector, by which it could be told how much it knows"
	case database == own:
		return fmt.Sprintf("its own database ends %d changes before what was read from it: it was restored", number-heard)
	case !ok:
		return "it has heard nothing of the domain controller " + invocationText(database) + ", of which changes were read " +
			"(or the bind user does not see replUpToDateVector)"
	}
	return fmt.Sprintf("it has not heard of the last %d changes of the domain controller %s, of which changes were read", number-heard, invocationText(database))
}

// invocationText writes the invocationId of a database as people see it elsewhere.
func invocationText(digits string) string {
	raw, err := hex.DecodeString(digits)
	if text, ok := guidText(string(raw)); err == nil && ok {
		return text
	}
	return digits
}

// upToDateness reads up to which change of every other database a domain controller has heard of everything in a naming
// context.
func (r *reading) upToDateness(suffix string) (map[string]uint64, error) {
	entries, err := r.session.search(r.op+": read replUpToDateVector", ldap.NewSearchRequest(suffix, ldap.ScopeBaseObject,
		ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"replUpToDateVector"}, nil))
	if err != nil && !hidden(err) {
		return nil, err
	}
	vector := make(map[string]uint64)
	for _, e := range entries {
		parseUpToDateness(e.GetEqualFoldRawAttributeValue("replUpToDateVector"), vector)
	}
	return vector, nil
}

// parseUpToDateness reads a value of replUpToDateVector into a vector: a version, a reserved number, a count, a reserved
// number (4 bytes each); and for every database its invocationId (16 bytes), the number (8), and in version 2 a time (8).
// What has another form says nothing.
func parseUpToDateness(value []byte, vector map[string]uint64) {
	const head = 16
	if len(value) < head {
		return
	}
	size := map[uint32]int{1: 24, 2: 32}[binary.LittleEndian.Uint32(value)]
	count := uint64(binary.LittleEndian.Uint32(value[8:]))
	value = value[head:]
	if size == 0 || count > uint64(len(value)/size) {
		return
	}
	for range count {
		vector[hex.EncodeToString(value[:16])] = binary.LittleEndian.Uint64(value[16:])
		value = value[size:]
	}
}

// Windows in which the last change of a naming context is looked for: a controller answers with no more than 1,000 entries.
const (
	changeWindow  = 1000
	changeWindows = 10
)

// lastChange returns the number of the last change in a naming context after the one with the number floor, or 0 when
// there is none, given the last number of the whole controller: many of its numbers concern nobody else, such as those of
// logons, and no other controller will ever hear of them. Where the change is long past, it is a number between the two.
func (r *reading) lastChange(suffix string, floor, last uint64) (uint64, error) {
	var controls []ldap.Control
	if r.session.root.offers(controlShowDeleted) {
		controls = []ldap.Control{ldap.NewControlString(controlShowDeleted, true, "")}
	}
	for range changeWindows {
		if last <= floor {
			return 0, nil
		}
		from := floor + 1
		if last-floor > changeWindow {
			from = last - changeWindow + 1
		}
		entries, err := r.session.search(r.op+": look for the last change", ldap.NewSearchRequest(suffix, ldap.ScopeWholeSubtree,
			ldap.NeverDerefAliases, 0, 0, false, fmt.Sprintf("(&(uSNChanged>=%d)(uSNChanged<=%d))", from, last), []string{"uSNChanged"}, controls))
		if err != nil {
			return 0, err
		}
		var newest uint64
		for _, e := range entries {
			number, _ := strconv.ParseUint(strings.TrimSpace(e.GetEqualFoldAttributeValue("uSNChanged")), 10, 64)
			newest = max(newest, number)
		}
		if newest > 0 {
			return newest, nil
		}
		last = from - 1
	}
	return last, nil
}
