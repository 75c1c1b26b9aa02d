// Package settings holds what the configurations of connectors and targets are made of: secrets, durations, paths,
// lists of names, and the issues that a block finds with itself. It is a leaf, so that a connector knows how its
// settings are written and nothing of the rest of the file; package strict below it reads the YAML.
package settings
