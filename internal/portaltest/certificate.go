package portaltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// NewCertificate makes a certificate for some hosts, signed by itself, and files of it that last as
// long as the test.
func NewCertificate(t testing.TB, hosts ...string) (certificate tls.Certificate, certFile, keyFile string) {
	t.Helper()
	certificate, certFile, keyFile, err := WriteCertificate(t.TempDir(), hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, certFile, keyFile
}

// WriteCertificate makes a certificate for some hosts, signed by itself, and writes it into a
// directory.
func WriteCertificate(dir string, hosts ...string) (certificate tls.Certificate, certFile,
	keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate, "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     hosts,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return certificate, "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certificate, "", "", err
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	blocks := map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile:  {Type: "PRIVATE KEY", Bytes: keyDER},
	}
	for file, block := range blocks {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return certificate, "", "", err
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile, nil
}

// AnyCertificate returns the TLS config of a client that accepts any certificate, such as one that
// was made for this run.
func AnyCertificate() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
}
