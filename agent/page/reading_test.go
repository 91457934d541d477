package page

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"constat/internal/procedure"
)

// ease is how easily a text is read, by counts of its sentences, words and
// syllables: in English Flesch's Reading Ease (1948), in French Kandel and Moles'
// form of it (1958). By Flesch's table a text of 80 to 90 points is read in the sixth
// school year (at eleven), one of 70 to 80 in the seventh (at twelve).
func ease(language string, sentences, words, syllables float64) float64 {
	if language == "fr" {
		return 207 - 1.015*words/sentences - 73.6*syllables/words
	}
	return 206.835 - 1.015*words/sentences - 84.6*syllables/words
}

var (
	sentenceEnd = regexp.MustCompile(`[.!?…:;]+(\s|$)`)
	aWord       = regexp.MustCompile(`\p{L}[\p{L}’'-]*`)
	enVowels    = regexp.MustCompile(`[aeiouy]+`)
	frVowels    = regexp.MustCompile(`[aàâäeéèêëiîïoôöuùûüyœæ]+`)
)

// syllables counts the groups of vowels, without an e that is not spoken.
func syllables(language, word string) int {
	word = strings.ToLower(word)
	vowels := enVowels
	if language == "fr" {
		vowels = frVowels
		for _, silent := range []string{"es", "ent", "e"} {
			if stem, ends := strings.CutSuffix(word, silent); ends && vowels.MatchString(stem) && !(silent == "ent" && len(word) < 6) {
				word = stem
				break
			}
		}
	} else if stem, ends := strings.CutSuffix(word, "e"); ends && !strings.HasSuffix(stem, "l") && vowels.MatchString(stem) {
		word = stem
	}
	return max(1, len(vowels.FindAllString(word, -1)))
}

// score reads texts as one, each at least a sentence, and tells the longest sentence.
func score(language string, texts []string) (points float64, longest string) {
	var sentences, words, spoken float64
	most := 0
	for _, text := range texts {
		for _, sentence := range sentenceEnd.Split(text, -1) {
			said := aWord.FindAllString(sentence, -1)
			if len(said) == 0 {
				continue
			}
			sentences++
			words += float64(len(said))
			for _, w := range said {
				if strings.IndexFunc(w, unicode.IsLower) >= 0 {
					spoken += float64(syllables(language, w))
				} else {
					spoken++ // VPN
				}
			}
			if len(said) > most {
				most, longest = len(said), sentence
			}
		}
	}
	return ease(language, sentences, words, spoken), fmt.Sprintf("%d words: %s", most, longest)
}

// Syllables are counted as they are spoken, near enough.
func TestEase(t *testing.T) {
	for word, want := range map[string]int{"cat": 1, "printer": 2, "little": 2, "made": 1, "computer": 3} {
		if got := syllables("en", word); got != want {
			t.Errorf("%s has %d syllables, want %d", word, got, want)
		}
	}
	for word, want := range map[string]int{"chat": 1, "imprimante": 3, "marche": 1, "ordinateur": 4, "écran": 2, "câble": 1} {
		if got := syllables("fr", word); got != want {
			t.Errorf("%s has %d syllables, want %d", word, got, want)
		}
	}
	if hard, _ := score("en", []string{"Notwithstanding organisational considerations, administrative instrumentation necessitates comprehensive reconfiguration."}); hard > 0 {
		t.Errorf("what nobody reads has %.0f points", hard)
	}
}

// A person of twelve reads what the page says, and what procedures ask.
func TestWordsAreReadAtTwelve(t *testing.T) {
	all, err := procedure.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"en", "fr"} {
		content, err := static.ReadFile("static/words." + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(content, &words); err != nil {
			t.Fatal(err)
		}
		var page, asked []string
		for _, text := range words {
			page = append(page, regexp.MustCompile(`\{\w+\}`).ReplaceAllString(text, "it"))
		}
		for _, p := range all.GetProcedures() {
			for _, s := range p.GetSteps() {
				text := s.GetText().GetEn()
				if language == "fr" {
					text = s.GetText().GetFr()
				}
				if text != "" {
					asked = append(asked, text)
				}
			}
		}
		for _, c := range []struct {
			what  string
			texts []string
			least float64
		}{{"the page", page, 80}, {"the procedures", asked, 70}} {
			points, longest := score(language, c.texts)
			t.Logf("%s, %s: %.0f points in %d texts; the longest sentence has %s", c.what, language, points, len(c.texts), longest)
			if points < c.least {
				t.Errorf("%s, %s: %.0f points, want %.0f", c.what, language, points, c.least)
			}
		}
	}
}
