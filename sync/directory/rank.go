package directory

// Rank orders kinds of record by what they refer to: a record refers to records of lower ranks, and to some of its own.
func (k RecordKind) Rank() int {
	switch k {
	case CustomerRecord:
		return 0
	case SiteRecord:
		return 1
	case AgentRecord, UserRecord:
		return 2
	case GroupRecord, LicenceRecord:
		return 3
	case AssetRecord:
		return 4
	default:
		return 5
	}
}
