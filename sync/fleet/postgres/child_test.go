package postgres_test

const childEnv = "DIRSYNCD_FLEET_WORKER"

func child() int { return 0 }
