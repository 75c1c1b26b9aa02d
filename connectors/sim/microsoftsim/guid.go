package microsoftsim

import (
	"crypto/rand"
	"encoding/hex"
)

// newGUID makes a random id in Microsoft's spelling.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return spellGUID(b)
}

func spellGUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[0:8], b[0:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// seededGUID is the id of the n-th thing of a kind in a world. It is the same in every process.
func seededGUID(seed uint64, kind byte, n int) string {
	var b [16]byte
	x := seed*0x9e3779b97f4a7c15 + uint64(kind)<<56 + uint64(n)
	for i := range 2 {
		x = mix(x)
		for j := range 8 {
			b[8*i+j] = byte(x >> (8 * j))
		}
	}
	return spellGUID(b)
}

// mix is the finaliser of splitmix64: it spreads neighbouring numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
