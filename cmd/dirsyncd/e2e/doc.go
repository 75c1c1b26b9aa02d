// Package e2e tests the program from outside: the real binary as a process with real signals, reading a real
// OpenLDAP server, writing real journals and calling a real HTTP receiver. It has tests only.
package e2e
