package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
)

// tunnel answers the API server's CONNECT requests: it reaches pods through here, as it does where it is not on the
// cluster's network. A pod's address leads to the pod's server, whatever the port; any other is dialled as it is.
func tunnel(listener net.Listener, all *backends) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go pass(connection, all)
	}
}

func pass(connection net.Conn, all *backends) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	request, err := http.ReadRequest(reader)
	if err != nil || request.Method != http.MethodConnect {
		io.WriteString(connection, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	address := request.RequestURI
	if host, _, err := net.SplitHostPort(address); err == nil {
		if own, ok := all.at(host); ok {
			address = own
		}
	}
	target, err := net.Dial("tcp", address)
	if err != nil {
		io.WriteString(connection, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
		return
	}
	defer target.Close()
	io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(target, reader)
		target.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(connection, target)
}
