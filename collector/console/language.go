package console

import (
	"embed"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locales
var locales embed.FS

// languages the console speaks, the one to fall back to first.
var languages = []string{"en", "fr"}

var matcher = language.NewMatcher([]language.Tag{language.English, language.French})

// speech is everything the console can say in one language.
type speech struct {
	language  string
	localizer *i18n.Localizer
}

// unbroken keeps a line from beginning with a sign that French writes after a
// space, which people type as any other.
var unbroken = strings.NewReplacer(" ?", "\u00a0?", " !", "\u00a0!", " ;", "\u00a0;", " :", "\u00a0:", " »", "\u00a0»", "« ", "«\u00a0", " %", "\u00a0%")

// apostrophe is one as keyboards have it, which YAML may have doubled.
var apostrophe = regexp.MustCompile(`(\pL)''?(\pL)`)

// newSpeeches reads the message catalogues. They are part of the program, so
// that a mistake in one is a bug and panics.
func newSpeeches() map[string]*speech {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	speeches := map[string]*speech{}
	for _, lang := range languages {
		name := "locales/" + lang + ".yaml"
		content, err := locales.ReadFile(name)
		if err == nil && lang == "fr" {
			content = apostrophe.ReplaceAll([]byte(unbroken.Replace(string(content))), []byte("${1}’${2}"))
		}
		if err == nil {
			_, err = bundle.ParseMessageFileBytes(content, name)
		}
		if err != nil {
			panic(fmt.Sprintf("message catalogue of %s: %v", lang, err))
		}
		speeches[lang] = &speech{language: lang, localizer: i18n.NewLocalizer(bundle, lang)}
	}
	return speeches
}

// say gives the message with an id; pairs name the values that stand in it. An
// id that is in no catalogue comes back as it is, which a test makes impossible
// for the ids in templates.
func (s *speech) say(id string, pairs ...any) string {
	values := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return s.localize(id, &i18n.LocalizeConfig{MessageID: id, TemplateData: values})
}

// count gives the message with an id in the plural form that fits n.
func (s *speech) count(id string, n int) string {
	return s.localize(id, &i18n.LocalizeConfig{MessageID: id, PluralCount: n})
}

func (s *speech) localize(id string, config *i18n.LocalizeConfig) string {
	text, err := s.localizer.Localize(config)
	if text == "" && err != nil {
		return id
	}
	return text
}

// word translates a word of the vocabulary ("open", "confirmed"). Agents newer
// than this collector may use words it does not know: those stay as they are.
func (s *speech) word(kind, word string) string {
	if word == "" {
		return ""
	}
	id := "word." + kind + "." + word
	if text := s.say(id); text != id {
		return text
	}
	return word
}

// languageCookie holds the language that was chosen in this browser.
const languageCookie = "constat-language"

// chosenLanguage is the language chosen in the browser; empty: none was.
func chosenLanguage(r *http.Request) string {
	cookie, err := r.Cookie(languageCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// pickLanguage chooses what the person asked for: by the toggle, else in their
// account, else in the browser.
func pickLanguage(chosen, account string, r *http.Request) string {
	for _, lang := range []string{chosen, account} {
		for _, known := range languages {
			if lang == known || strings.HasPrefix(lang, known+"-") {
				return known
			}
		}
	}
	_, index := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
	return languages[index]
}

// inEach gives texts that somebody writes in several languages, with an empty one for
// each language of the console that has none, the reader's own first.
func inEach[T interface{ GetLanguage() string }](s *speech, texts []T, empty func(language string) T) []T {
	for _, language := range languages {
		if !slices.ContainsFunc(texts, func(t T) bool { return t.GetLanguage() == language }) {
			texts = append(texts, empty(language))
		}
	}
	slices.SortStableFunc(texts, func(a, b T) int {
		switch s.language {
		case b.GetLanguage():
			return 1
		case a.GetLanguage():
			return -1
		}
		return 0
	})
	return texts
}
