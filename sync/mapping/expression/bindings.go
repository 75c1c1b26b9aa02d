package expression

import "dirsyncd/sync/directory"

// binding is a Name with the way to its value. A value is Null when the source did not say; otherwise it has
// the name's type.
type binding struct {
	Name
	read func(*Input) directory.Value
	// stops: a missing value is not taken for a blank one, although the type has such.
	stops bool
	// choice is set where the value is that of a choice.
	choice *Choice
}

func readID(in *Input) directory.Value { return textOrNull(in.Object.ID) }

func readOwn(field string, typ directory.ValueType) func(*Input) directory.Value {
	return func(in *Input) directory.Value {
		v, _ := in.Object.Get(field)
		return coerce(v, typ)
	}
}

func readGroups(in *Input) directory.Value {
	return listOf(in.Groups, func(m *Membership) string { return m.Name })
}

func readGroupIDs(in *Input) directory.Value {
	return listOf(in.Groups, func(m *Membership) string { return m.ID })
}

func readDirectGroups(in *Input) directory.Value {
	return listOf(in.Groups, func(m *Membership) string {
		if !m.Direct {
			return ""
		}
		return m.Name
	})
}

func readLicences(in *Input) directory.Value {
	return listOf(in.Licences, func(l *Named) string { return l.Name })
}

func readLicenceIDs(in *Input) directory.Value {
	return listOf(in.Licences, func(l *Named) string { return l.ID })
}

// listOf makes a list of one text of each item, leaving out what has none.
func listOf[T any](items []T, text func(*T) string) directory.Value {
	list := make([]string, 0, len(items))
	for i := range items {
		if s := text(&items[i]); s != "" {
			list = append(list, s)
		}
	}
	return directory.List(list...)
}

func textOrNull(s string) directory.Value {
	if s == "" {
		return directory.Null()
	}
	return directory.Text(s)
}

// coerce gives a value the type that rules rely on, whatever form the source chose: the first of several values
// where a text is asked for, a list of one where a list is. What has no such form counts as not told.
func coerce(v directory.Value, want directory.ValueType) directory.Value {
	if v.Type() == want || v.Blank() {
		return v
	}
	switch want {
	case directory.TextType:
		if list := v.List(); len(list) > 0 {
			return directory.Text(list[0])
		}
		return directory.Text(v.String())
	case directory.ListType:
		return directory.List(v.String())
	default:
		return directory.Null()
	}
}
