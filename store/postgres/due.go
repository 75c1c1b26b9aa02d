package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What is due is kept in whole seconds.

// Due implements store.Reader.
func (t *tx) Due(until time.Time, fn func(at time.Time, kind directory.Kind, n store.Num) bool) error {
	if err := t.flushDue(); err != nil {
		return err
	}
	type due struct {
		at   int64
		kind int16
		num  int32
	}
	last := due{at: -1 << 62}
	return chunks(firstSmall, func(limit int) (more bool, err error) {
		list := make([]due, 0, limit)
		err = t.query(func(rows pgx.Rows) error {
			var d due
			err := rows.Scan(&d.at, &d.kind, &d.num)
			list = append(list, d)
			return err
		}, `select at, kind, num from @.due where part = $1 and at <= $2 and (at, kind, num) > ($3, $4::int2, $5::int) order by at, kind, num limit $6`,
			until.Unix(), last.at, last.kind, last.num, limit)
		for _, last = range list {
			if err != nil || !fn(time.Unix(last.at, 0).UTC(), directory.Kind(last.kind), store.Num(last.num)) {
				return false, err
			}
		}
		return len(list) == limit, err
	})
}

// DueOf implements store.Reader.
func (t *tx) DueOf(kind directory.Kind, nums []store.Num, times []time.Time) ([]time.Time, error) {
	if err := t.flushDue(); err != nil {
		return times, err
	}
	at := map[store.Num]time.Time{}
	if asked := t.given(nums); len(asked) > 0 {
		err := t.query(func(rows pgx.Rows) error {
			var num int32
			var when int64
			err := rows.Scan(&num, &when)
			at[store.Num(num)] = time.Unix(when, 0).UTC()
			return err
		}, `select d.num, d.at from unnest($3::int[]) n(num)
			cross join lateral (select num, at from @.due where part = $1 and kind = $2 and num = n.num limit 1) d`, int16(kind), ints(asked))
		if err != nil {
			return times, err
		}
	}
	for _, n := range nums {
		times = append(times, at[n])
	}
	return times, t.failed
}

// PutDue implements store.Writer.
func (t *tx) PutDue(kind directory.Kind, n store.Num, at time.Time) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	if err := t.checkNum(n); err != nil {
		return err
	}
	if at.Nanosecond() > 0 {
		at = at.Truncate(time.Second).Add(time.Second)
	}
	t.due[objectKey{kind, n}] = at
	return t.failed
}

func (t *tx) flushDue() error {
	var goneKinds, kinds []int16
	var goneNums, nums []int32
	var times []int64
	for key, at := range t.due {
		if at.IsZero() {
			goneKinds, goneNums = append(goneKinds, int16(key.kind)), append(goneNums, int32(key.num))
		} else {
			kinds, nums, times = append(kinds, int16(key.kind)), append(nums, int32(key.num)), append(times, at.Unix())
		}
	}
	clear(t.due)
	if len(goneNums) > 0 {
		err := t.erase(`delete from @.due where ctid = any(array(select d.ctid from unnest($2::int2[], $3::int[]) k(kind, num)
			cross join lateral (select ctid from @.due where part = $1 and kind = k.kind and num = k.num limit 1) d))`, goneKinds, goneNums)
		if err != nil {
			return err
		}
	}
	if len(nums) > 0 {
		return t.write(`insert into @.due (part, kind, num, at) select $1, * from unnest($2::int2[], $3::int[], $4::int8[])
			on conflict (part, kind, num) do update set at = excluded.at`, kinds, nums, times)
	}
	return nil
}
