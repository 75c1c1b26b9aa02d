package files

import (
	"context"
	"fmt"
	"slices"

	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
)

// Survey is what is in a file, and how it was understood.
type Survey struct {
	// File is its name, and Dialect says in words how it is written.
	File, Dialect string
	Sheets        []SurveyedSheet
	// Unread are the names of the sheets that are not read, hidden ones among them.
	Unread []string
}

// SurveyedSheet is one table of a file.
type SurveyedSheet struct {
	Name    string // empty where a file is one table
	Header  int    // the line of the header; 0: there is none
	Columns []SurveyedColumn
	// Rows is how many there are, blank ones left out, Bad how many of them cannot be read.
	Rows, Bad int
	// First are the first rows that can be read, in normal form.
	First []SurveyedRow
	// Problems are the first of what is wrong, in the order of the rows.
	Problems []SurveyedProblem
	// Doubts say why rows may be missing, Notes what else there is to say.
	Doubts, Notes []string
}

// SurveyedColumn is a column and what it means.
type SurveyedColumn struct {
	Name  string
	Means []string // "key", "email", "manager by email"; empty: it is not read
}

// SurveyedRow is a row in normal form: an object, or a membership.
type SurveyedRow struct {
	Line   int
	Object *directory.Object
	// Group is the id of a group, and Member the handle of one of its members.
	Group, Member string
	// Members are the handles of those that the row of a group names.
	Members []string
}

// SurveyedProblem is what is wrong with a row.
type SurveyedProblem struct {
	Line   int
	Column string // empty: the row
	Reason string
	Hint   string
}

// surveyor makes a survey.
type surveyor struct {
	ctx            context.Context
	rows, problems int
	whole          bool // to the end of the file
	survey         Survey
	keys           *columns.Keys
}

// errEnough ends a survey that need not go on.
var errEnough = fmt.Errorf("enough was seen")

func (v *surveyor) sheet() *SurveyedSheet { return &v.survey.Sheets[len(v.survey.Sheets)-1] }

// source goes over a source.
func (v *surveyor) source(s *source) error {
	v.survey.File = s.file.name
	v.keys = &columns.Keys{}
	return s.read(v.ctx, &hearer{
		begin: v.begin, row: v.row,
		bad: func(_ *sheet, bad *tables.BadRow) error {
			v.sheet().Rows++
			return v.problem(bad.Line, columns.Problem{Column: bad.Column, Reason: bad.Reason, Hint: bad.Hint})
		},
		doubt: func(text string) { v.sheet().Doubts = append(v.sheet().Doubts, text) },
		note:  func(text string) { v.sheet().Notes = append(v.sheet().Notes, text) },
		other: func(names []string) { v.survey.Unread = names },
	})
}

func (v *surveyor) begin(s *sheet) error {
	header, line := s.table.Header()
	one := SurveyedSheet{Name: s.name, Header: line}
	for i, name := range header {
		column := SurveyedColumn{Name: name}
		if s.pairs != nil {
			column.Means = s.pairs.Uses()[i].As
		} else if s.layout != nil {
			column.Means = s.layout.Uses()[i].As
		}
		one.Columns = append(one.Columns, column)
	}
	v.survey.Sheets = append(v.survey.Sheets, one)
	v.survey.Dialect = s.table.Dialect()
	return nil
}

func (v *surveyor) row(s *sheet, row *tables.Row) error {
	one := v.sheet()
	one.Rows++
	seen := SurveyedRow{Line: row.Line}
	var problems []columns.Problem
	if s.pairs != nil {
		seen.Group, seen.Member, problems = s.pairs.Pair(row.Cells)
	} else {
		seen.Object = &directory.Object{}
		problems = s.layout.Object(row.Cells, seen.Object)
		if seen.Object.ID != "" && !v.keys.Add(seen.Object.ID) {
			problems = []columns.Problem{keyTwice()}
		}
		if len(problems) == 0 && s.layout.HasMembers() {
			seen.Members = s.layout.Members(row.Cells, nil)
		}
	}
	if problems = append(faults(s, row), problems...); len(problems) > 0 {
		return v.problem(row.Line, problems...)
	}
	if len(one.First) < v.rows {
		one.First = append(one.First, seen)
	}
	if !v.whole && len(one.First) >= v.rows {
		return errEnough
	}
	return nil
}

func (v *surveyor) problem(line int, problems ...columns.Problem) error {
	one := v.sheet()
	one.Bad++
	for _, p := range problems {
		if len(one.Problems) < v.problems {
			one.Problems = append(one.Problems, SurveyedProblem{Line: line, Column: p.Column, Reason: p.Reason, Hint: p.Hint})
		}
	}
	if !v.whole && one.Bad > mostBad {
		return errEnough
	}
	return nil
}

// keyTwice is what is wrong with a row whose key another one has.
func keyTwice() columns.Problem {
	return columns.Problem{Index: -1, Reason: "has the key of a row before it", Hint: "a key stands once in a file; the row before it counts"}
}

// others lists the sheets that are not among some.
func others(all, some []tables.Sheet) []string {
	var names []string
	for _, s := range all {
		if !slices.Contains(some, s) {
			names = append(names, s.Name)
		}
	}
	return names
}
