// Connects by TLS to an address as a client of a host that trusts one file of certificates.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"os"
)

func main() {
	address, host, file := os.Args[1], os.Args[2], os.Args[3]
	trusted, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	connection, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: host})
	if err != nil {
		log.Fatal(err)
	}
	connection.Close()
}
