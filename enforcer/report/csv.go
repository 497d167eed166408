package report

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verdictColumns are the verdicts' words, as columns.
var verdictColumns = []string{
	"let_through", "refused", "deletion", "expired", "would_refuse", "would_expire",
}

// CSV returns the inventory as CSV with a header, one line for each item.
func (i Inventory) CSV() []byte {
	rows := [][]string{slices.Concat(
		[]string{"name", "channel", "mode", "category", "rule", "first", "last", "count", "missed"},
		verdictColumns,
		[]string{"domains", "paths", "same_site", "lifetime", "session", "insecure", "missing_http_only", "hosts"},
	)}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for _, c := range i.Cookies {
		row := []string{
			c.Name, c.Channel, c.Mode, string(c.Category), c.Rule, stamp(c.First), stamp(c.Last),
			number(c.Count), number(c.Missed),
		}
		for _, verdict := range verdictColumns {
			row = append(row, number(c.Verdicts[verdict]))
		}
		rows = append(rows, append(row,
			strings.Join(c.Domains, " "), strings.Join(c.Paths, " "), strings.Join(c.SameSite, " "),
			strconv.FormatInt(c.Lifetime, 10), strconv.FormatBool(c.Session), strconv.FormatBool(c.Insecure),
			strconv.FormatBool(c.MissingHTTPOnly), strings.Join(c.Hosts, " ")))
	}
	return writeCSV(rows)
}

// CSV returns the drift as CSV with a header, one line for each finding.
func (d Drift) CSV() []byte {
	rows := [][]string{{"kind", "cookie", "detail", "origin"}}
	for _, f := range d.Findings {
		rows = append(rows, []string{f.Kind, f.Cookie, f.Detail, f.Origin})
	}
	return writeCSV(rows)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func writeCSV(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = noFormula(cell)
		}
		_ = w.Write(row) // a buffer has no errors
	}
	w.Flush()
	return b.Bytes()
}

// noFormula adds a quote before what a spreadsheet would take for a formula, also in the full-width
// signs that some take for the ASCII ones.
func noFormula(cell string) string {
	if strings.IndexAny(cell, "=+-@\uff1d\uff0b\uff0d\uff20") == 0 {
		return "'" + cell
	}
	return cell
}
