package console

import (
	"bufio"
	"strings"
)

// labels are the names of facts, by language and field name.
var labels = func() map[string]map[string]string {
	file, err := locales.Open("locales/facts.tsv")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	byLanguage := map[string]map[string]string{"en": {}, "fr": {}}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) == 3 {
			byLanguage["en"][columns[0]], byLanguage["fr"][columns[0]] = columns[1], columns[2]
		}
	}
	return byLanguage
}()

// label names a fact. One that a newer agent sends and this collector has no
// label for is named by its field.
func (s *speech) label(field string) string {
	if label := labels[s.language][field]; label != "" {
		return label
	}
	return strings.ReplaceAll(field, "_", " ")
}

// elementLabel names one element of a list: as `field[]` is labelled, else as the
// list is.
func (s *speech) elementLabel(field string) string {
	if label := labels[s.language][field+"[]"]; label != "" {
		return label
	}
	return s.label(field)
}
