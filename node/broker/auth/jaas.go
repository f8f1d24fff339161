package auth

import (
	"fmt"
	"strings"
)

// login is one line of JAAS: a login module with its options.
type login struct {
	module  string
	options map[string]string
}

// parseLogin reads a value of sasl.jaas.config: module, flag, options and a semicolon. Errors never quote values, which
// may be passwords.
func parseLogin(text string) (login, error) {
	words, err := jaasWords(text)
	if err != nil {
		return login{}, err
	}
	if n := len(words); n == 0 || words[n-1] != ";" {
		return login{}, fmt.Errorf("a login module ends with a semicolon")
	}
	words = words[:len(words)-1]
	if len(words) < 2 {
		return login{}, fmt.Errorf("a login module is a class and a flag such as required")
	}
	l := login{module: words[0], options: map[string]string{}}
	switch strings.ToLower(words[1]) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return login{}, fmt.Errorf("the flag after %s is none of required, requisite, sufficient, optional", l.module)
	}
	for rest := words[2:]; len(rest) > 0; rest = rest[3:] {
		if len(rest) < 3 || rest[1] != "=" || rest[0] == ";" {
			return login{}, fmt.Errorf("an option of %s is not name=\"value\", or there is more than one login module", l.module)
		}
		l.options[rest[0]] = rest[2]
	}
	return l, nil
}

// jaasWords splits a line: words, quoted texts, "=" and ";".
func jaasWords(text string) (words []string, err error) {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '=' || c == ';':
			words = append(words, string(c))
			i++
		case c == '"' || c == '\'':
			word, n, ok := quoted(text[i:])
			if !ok {
				return nil, fmt.Errorf("a quoted value does not end")
			}
			words = append(words, word)
			i += n
		default:
			n := strings.IndexAny(text[i:], " \t\r\n=;\"'")
			if n < 0 {
				n = len(text) - i
			}
			words = append(words, text[i:i+n])
			i += n
		}
	}
	return words, nil
}

// quoted reads a text in quotes, with backslashes before what stands for itself, and returns its length.
func quoted(text string) (word string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return b.String(), i + 1, true
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", 0, false
}

// users are the options user_NAME="password" of PLAIN's login module.
func (l login) users() map[string]string {
	users := map[string]string{}
	for name, value := range l.options {
		if user, ok := strings.CutPrefix(name, "user_"); ok {
			users[user] = value
		}
	}
	return users
}
