package settings

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"kdrill/testdata/need"
)

const (
	keystorePassword = "listener.name.tls.ssl.keystore.password"
	keystoreLocation = "listener.name.tls.ssl.keystore.location"
)

var passwords = []string{"", "changeit", "sixteen letters!", "päßwörter 🔑 of more than one block"}

func TestPasswordsAreKeptEncoded(t *testing.T) {
	for _, more := range [][]string{
		nil,
		{"password.encoder.cipher.algorithm=AES/GCM/NoPadding", "password.encoder.key.length=256"},
		{"password.encoder.keyfactory.algorithm=PBKDF2WithHmacSHA1", "password.encoder.iterations=1024", "password.encoder.key.length=192"},
	} {
		v := valuesOf(t, append(more, "password.encoder.secret=open sesame")...)
		for _, password := range passwords {
			plain, stored, err := v.Seal(nil, map[string]string{keystorePassword: password, keystoreLocation: "/k"})
			if err != nil || plain[keystorePassword] != password || stored[keystoreLocation] != "/k" {
				t.Fatalf("%v: %v, %v", more, plain, err)
			}
			if password != "" && strings.Contains(stored[keystorePassword], password) {
				t.Errorf("stored as it is: %s", stored[keystorePassword])
			}
			opened, wrong := v.Open(stored)
			if !maps.Equal(opened, plain) || wrong != nil {
				t.Errorf("%v: opened as %v, %v", more, opened, wrong)
			}
			_, again, err := v.Seal(stored, stored)
			if err != nil || !maps.Equal(again, stored) {
				t.Errorf("what does not change is encoded anew: %v", err)
			}
		}
	}
}

func TestPasswordsNeedTheirSecret(t *testing.T) {
	right, wrong, none := valuesOf(t, "password.encoder.secret=right"), valuesOf(t, "password.encoder.secret=wrong"), valuesOf(t)
	_, stored, err := right.Seal(nil, map[string]string{keystorePassword: "changeit"})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Values{wrong, none} {
		if plain, why := v.Open(stored); len(plain) > 0 || len(why) != 1 || !strings.Contains(why[0].Error(), keystorePassword+" cannot be decoded") {
			t.Errorf("opened without the secret: %v, %v", plain, why)
		}
		if _, kept, err := v.Seal(stored, stored); err != nil || !maps.Equal(kept, stored) {
			t.Errorf("what cannot be opened is not kept: %v", err)
		}
	}
	if _, _, err := none.Seal(nil, map[string]string{keystorePassword: "changeit"}); !errors.Is(err, ErrNoSecret) {
		t.Errorf("set without a secret: %v", err)
	}
	if _, _, err := none.Seal(nil, map[string]string{keystoreLocation: "/k"}); err != nil {
		t.Errorf("no password: %v", err)
	}
	for line, want := range map[string]string{
		"password.encoder.cipher.algorithm=DES/CBC/PKCS5Padding": "DES/CBC/PKCS5Padding is not known here",
		"password.encoder.keyfactory.algorithm=PBEWithMD5AndDES": "PBEWithMD5AndDES is not known here",
		"password.encoder.key.length=64":                         "128, 192 or 256 bits",
	} {
		if _, _, err := valuesOf(t, "password.encoder.secret=s", line).Seal(nil, map[string]string{keystorePassword: "x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestASecretIsExchanged(t *testing.T) {
	old := valuesOf(t, "password.encoder.secret=old")
	both := valuesOf(t, "password.encoder.secret=new", "password.encoder.old.secret=old")
	fresh := valuesOf(t, "password.encoder.secret=new")
	_, stored, err := old.Seal(nil, map[string]string{keystorePassword: "changeit", keystoreLocation: "/k"})
	if err != nil {
		t.Fatal(err)
	}
	next, changed, err := both.Reseal(stored)
	if err != nil || !changed || next[keystoreLocation] != "/k" {
		t.Fatalf("%v %v", changed, err)
	}
	if plain, wrong := fresh.Open(next); plain[keystorePassword] != "changeit" || wrong != nil {
		t.Errorf("%v %v", plain, wrong)
	}
	for _, v := range []Values{both, fresh} {
		if same, changed, err := v.Reseal(next); changed || err != nil || !maps.Equal(same, next) {
			t.Errorf("encoded again: %v %v", changed, err)
		}
	}
}

// TestApacheReadsPasswords has Kafka's own class decode what is encoded here, and encode what is decoded here.
func TestApacheReadsPasswords(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	tools := need.KafkaTools(t)
	for _, algorithm := range []string{aesCBC, aesGCM} {
		v := valuesOf(t, "password.encoder.secret=open sésame", "password.encoder.cipher.algorithm="+algorithm, "password.encoder.key.length=256")
		var ours []string
		for _, password := range passwords[1:] {
			text, err := v.encodePassword(password)
			if err != nil {
				t.Fatal(err)
			}
			ours = append(ours, text)
		}
		if read := tools.Run("Passwords", append([]string{"decode", "open sésame", algorithm}, ours...)...); read != strings.Join(passwords[1:], "\n")+"\n" {
			t.Errorf("%s: Apache read %q", algorithm, read)
		}
		theirs := strings.Split(strings.TrimSpace(tools.Run("Passwords", append([]string{"encode", "open sésame", algorithm}, passwords[1:]...)...)), "\n")
		for i, text := range theirs {
			if password, err := v.decodePassword(text); err != nil || password != passwords[1+i] {
				t.Errorf("%s: read %q of Apache's %s: %v", algorithm, password, text, err)
			}
		}
	}
}

// FuzzEncodedPasswords decodes what somebody wrote to ZooKeeper.
func FuzzEncodedPasswords(f *testing.F) {
	text, err := encoding{keyFactory: "PBKDF2WithHmacSHA1", cipher: aesCBC, keyLength: 128, iterations: 1}.encode("secret", "password")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("cipherAlgorithm:AES/GCM/NoPadding,keyLength:128,salt:,iterations:1,encryptedPassword:AAAA,passwordLength:1,initializationVector:AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := parseEncoding(text); err != nil || e.iterations > 10 {
			return
		}
		if password, err := decode("secret", text); err == nil && !strings.Contains(text, "passwordLength") {
			t.Errorf("%q is the password %q", text, password)
		}
	})
}

func valuesOf(t testing.TB, lines ...string) Values {
	t.Helper()
	s, err := load(t, lines...)
	if err != nil {
		t.Fatal(err)
	}
	return s.Values
}
