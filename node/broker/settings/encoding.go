package settings

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is a password as Kafka keeps it in ZooKeeper: encrypted by a key that is derived from password.encoder.secret,
// together with all that decoding needs but the secret. Its text is name:value,… in any order.
type encoding struct {
	keyFactory string // PBKDF2WithHmac…
	cipher     string // AES/CBC/PKCS5Padding or AES/GCM/NoPadding
	keyLength  int    // bits
	iterations int
	length     int // of the password, in UTF-16 code units, to know a wrong secret by
	tagLength  int // bits, of GCM alone
	salt       []byte
	iv         []byte
	encrypted  []byte
}

const (
	aesCBC = "AES/CBC/PKCS5Padding"
	aesGCM = "AES/GCM/NoPadding"
)

func (e *encoding) String() string {
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf("keyFactoryAlgorithm:%s,cipherAlgorithm:%s,keyLength:%d,salt:%s,iterations:%d,encryptedPassword:%s,passwordLength:%d,initializationVector:%s",
		e.keyFactory, e.cipher, e.keyLength, b64(e.salt), e.iterations, b64(e.encrypted), e.length, b64(e.iv))
	if e.cipher == aesGCM {
		text += fmt.Sprintf(",authenticationTagLength:%d", e.tagLength)
	}
	return text
}

func parseEncoding(text string) (*encoding, error) {
	given := map[string]string{}
	for _, pair := range List(text) {
		name, value, _ := strings.Cut(pair, ":")
		given[name] = strings.TrimSpace(value)
	}
	e := &encoding{keyFactory: given["keyFactoryAlgorithm"], cipher: given["cipherAlgorithm"]}
	var wrong []error
	for name, into := range map[string]*int{"keyLength": &e.keyLength, "iterations": &e.iterations, "passwordLength": &e.length, "authenticationTagLength": &e.tagLength} {
		if name == "authenticationTagLength" && e.cipher != aesGCM {
			continue
		}
		var err error
		*into, err = strconv.Atoi(given[name])
		wrong = append(wrong, err)
	}
	for name, into := range map[string]*[]byte{"salt": &e.salt, "initializationVector": &e.iv, "encryptedPassword": &e.encrypted} {
		var err error
		*into, err = base64.StdEncoding.DecodeString(given[name])
		wrong = append(wrong, err)
	}
	if errors.Join(wrong...) != nil {
		return nil, errors.New("it is no encoded password")
	}
	return e, nil
}

// block is the cipher that a secret opens.
func (e *encoding) block(secret string) (cipher.Block, error) {
	hashes := map[string]func() hash.Hash{
		"PBKDF2WithHmacSHA1": sha1.New, "PBKDF2WithHmacSHA224": sha256.New224, "PBKDF2WithHmacSHA256": sha256.New,
		"PBKDF2WithHmacSHA384": sha512.New384, "PBKDF2WithHmacSHA512": sha512.New,
	}
	const most = 10_000_000 // iterations: some seconds
	h := hashes[e.keyFactory]
	switch {
	case h == nil:
		return nil, fmt.Errorf("password.encoder.keyfactory.algorithm: %s is not known here, only %s", e.keyFactory, strings.Join(slices.Sorted(maps.Keys(hashes)), ", "))
	case e.cipher != aesCBC && e.cipher != aesGCM:
		return nil, fmt.Errorf("password.encoder.cipher.algorithm: %s is not known here, only %s and %s", e.cipher, aesCBC, aesGCM)
	case e.keyLength != 128 && e.keyLength != 192 && e.keyLength != 256:
		return nil, fmt.Errorf("password.encoder.key.length: keys of AES have 128, 192 or 256 bits, not %d", e.keyLength)
	case e.iterations < 1 || e.iterations > most:
		return nil, fmt.Errorf("password.encoder.iterations: %d is not between 1 and %d", e.iterations, most)
	}
	key, err := pbkdf2.Key(h, secret, e.salt, e.iterations, e.keyLength/8)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}

// encode encrypts a password by an encoding that says how.
func (e encoding) encode(secret, password string) (string, error) {
	e.length, e.salt, e.tagLength = len(utf16.Encode([]rune(password))), make([]byte, 256), 128
	_, _ = rand.Read(e.salt) // never fails
	block, err := e.block(secret)
	if err != nil {
		return "", err
	}
	if e.cipher == aesGCM {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return "", err
		}
		e.iv = make([]byte, gcm.NonceSize())
		_, _ = rand.Read(e.iv)
		e.encrypted = gcm.Seal(nil, e.iv, []byte(password), nil)
		return e.String(), nil
	}
	e.iv = make([]byte, aes.BlockSize)
	_, _ = rand.Read(e.iv)
	pad := aes.BlockSize - len(password)%aes.BlockSize
	e.encrypted = append([]byte(password), slices.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, e.iv).CryptBlocks(e.encrypted, e.encrypted)
	return e.String(), nil
}

var errOtherSecret = errors.New("it was encoded by another password.encoder.secret")

// decode decrypts a password. The way it was encoded is in its text.
func decode(secret, text string) (string, error) {
	e, err := parseEncoding(text)
	if err != nil {
		return "", err
	}
	block, err := e.block(secret)
	if err != nil {
		return "", err
	}
	var plain []byte
	if e.cipher == aesGCM {
		plain, err = e.openGCM(block)
	} else {
		plain, err = e.openCBC(block)
	}
	if err != nil {
		return "", err
	}
	if !utf8.Valid(plain) || len(utf16.Encode([]rune(string(plain)))) != e.length {
		return "", errOtherSecret
	}
	return string(plain), nil
}

func (e *encoding) openGCM(block cipher.Block) ([]byte, error) {
	if e.tagLength != 128 || len(e.iv) != 12 {
		return nil, errors.New("it is no encoded password")
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, e.iv, e.encrypted, nil)
	if err != nil {
		return nil, errOtherSecret
	}
	return plain, nil
}

func (e *encoding) openCBC(block cipher.Block) ([]byte, error) {
	n := len(e.encrypted)
	if n == 0 || n%aes.BlockSize != 0 || len(e.iv) != aes.BlockSize {
		return nil, errors.New("it is no encoded password")
	}
	plain := make([]byte, n)
	cipher.NewCBCDecrypter(block, e.iv).CryptBlocks(plain, e.encrypted)
	pad := int(plain[n-1])
	if pad == 0 || pad > aes.BlockSize || slices.ContainsFunc(plain[n-pad:], func(b byte) bool { return int(b) != pad }) {
		return nil, errOtherSecret
	}
	return plain[:n-pad], nil
}
