package har

import (
	"fmt"
	"strings"
)

// An Error is a fault of a file. Its text never holds anything from the file but names that every HAR
// file has.
type Error struct {
	Line, Column int    // both from 1; the column counts bytes
	Offset       int64  // from the start of the file, in bytes
	Path         string // such as log.entries[3].request.url; it is empty for the file as a whole
	Problem      string
	Err          error // of the reader, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d, column %d", e.Line, e.Column)
	if e.Path != "" {
		b.WriteString(", " + e.Path)
	}
	b.WriteString(": " + e.Problem)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }
