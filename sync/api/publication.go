package api

import "time"

// Publication is the configuration that is the current one of all workers, and who has it.
type Publication struct {
	// Configuration identifies it, as the logs of workers do.
	Configuration string `json:"configuration"`
	// File is where the worker that was asked read it when it started or was reloaded; the file may have been edited since.
	File      string    `json:"file"`
	Published time.Time `json:"published"`
	By        string    `json:"by"` // the name of the worker that published it
	// Already: it was the current one before, and nothing was done.
	Already bool `json:"already"`
	// Workers are those that are alive.
	Workers []PublishedTo `json:"workers"`
}

// PublishedTo is a worker that shares the state.
type PublishedTo struct {
	Name string `json:"name"`
	// Current: it has this configuration. Others finish what they hold, and take no more.
	Current bool `json:"current"`
	// Draining: it takes no more, whatever it has.
	Draining bool `json:"draining"`
}
