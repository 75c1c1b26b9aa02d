package memory

import (
	"context"
	"testing"

	"dirsyncd/connectors"
)

func BenchmarkSynthetic(b *testing.B) {
	cfg := SyntheticDefaults()
	cfg.People, cfg.Groups = 100_000, 2_000
	s := OpenSynthetic(cfg)
	for _, stream := range []string{"users", "groups"} {
		b.Run(stream, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				err := s.Read(context.Background(), connectors.Request{Stream: stream, Mode: connectors.Full},
					func(p *connectors.Page) error {
						n += len(p.Objects)
						for i := range p.Members {
							n += len(p.Members[i].Add)
						}
						return nil
					})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
