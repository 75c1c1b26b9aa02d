// Package postgres keeps the state (package store) in a schema of a PostgreSQL database, which several processes share.
//
// # Layout
//
// Every table of a partition's data begins with the partition's number, part (schema.go says which tables there are). A name is
// the first 16 bytes of SHA-256 in a column of type uuid, a number an integer, an object or record its canonical form. What is
// JSON is stored as text: PostgreSQL's own types for it refuse some texts that JSON has.
//
// Ledgers are rows of their own, of no partition (ledger.go).
//
// # Transactions
//
// Round trips, not rows, are what costs time. So what is written one by one is kept in memory, by what it is about (the files
// of this package), and sent as a few statements over arrays: before a read that has to see it, in the same round trip as that
// read, and with the commit. What a transaction that writes has read of names, owners, rows, members and records it remembers: nobody
// else changes the partition meanwhile, since the first statement locks the partition's row. Numbers that the transaction has
// given itself have nothing stored, and nobody asks for it.
//
// What is asked of many numbers or names by their key is a lateral look-up with a limit: a join would be planned anew as the tables
// grow, and read all of them where nothing has counted their rows yet, as in a first sync.
//
// A View is REPEATABLE READ, READ ONLY. An Update is READ COMMITTED: of what it reads, nothing can change. It holds its leases,
// too (lease.go), and runs again when the database gave it up. Whether a commit took place whose answer was lost, the
// database is asked (commit.go).
package postgres
