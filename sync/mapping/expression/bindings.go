package expression

import "dirsyncd/sync/directory"

// binding is a Name with the way to its value. A value is Null when the source did not say; otherwise it has
// the name's type.
type binding struct {
	Name
	read func(*Input) directory.Value
}

func readID(in *Input) directory.Value { return textOrNull(in.Object.ID) }

func readOwn(field string, typ directory.ValueType) func(*Input) directory.Value {
	return func(in *Input) directory.Value {
		v, _ := in.Object.Get(field)
		return coerce(v, typ)
	}
}

func readGroups(in *Input) directory.Value {
	names := make([]string, 0, len(in.Groups))
	for i := range in.Groups {
		names = appendText(names, in.Groups[i].Name)
	}
	return directory.List(names...)
}

func readGroupIDs(in *Input) directory.Value {
	ids := make([]string, 0, len(in.Groups))
	for i := range in.Groups {
		ids = appendText(ids, in.Groups[i].ID)
	}
	return directory.List(ids...)
}

func readDirectGroups(in *Input) directory.Value {
	var names []string
	for i := range in.Groups {
		if in.Groups[i].Direct {
			names = appendText(names, in.Groups[i].Name)
		}
	}
	return directory.List(names...)
}

func readLicences(in *Input) directory.Value {
	var names []string
	for i := range in.Licences {
		names = appendText(names, in.Licences[i].Name)
	}
	return directory.List(names...)
}

func readLicenceIDs(in *Input) directory.Value {
	var ids []string
	for i := range in.Licences {
		ids = appendText(ids, in.Licences[i].ID)
	}
	return directory.List(ids...)
}

func appendText(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
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
