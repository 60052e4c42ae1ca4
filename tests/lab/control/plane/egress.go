package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// On a busy machine the API server says that a pod is ready some time before it is known here.
const patience = 10 * time.Second

// tunnel answers the API server's CONNECT requests: it reaches pods through here, as it does where it is not on the
// cluster's network. A pod's address leads to the pod's server, whatever the port; one of this machine is dialled as it
// is. Any other is of a pod that is not known yet, and is waited for, or no more: out there, somebody else might answer to
// it.
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
	target, err := all.dial(request.RequestURI)
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

func (all *backends) dial(address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return net.Dial("tcp", address)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if own, ok := all.at(host); ok {
			return net.Dial("tcp", own)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("no pod has the address %s", host)
		}
	}
}
