package host

import constatv1 "constat/proto/constat/v1"

// spoolDirectory is where CUPS keeps documents that wait.
const spoolDirectory = "/var/spool/cups"

// fsUse is what statvfs says of a file system.
type fsUse struct {
	total, free, available uint64 // bytes; available to an ordinary user
	inodes, freeInodes     uint64
	readOnly               bool
}

// facts turns the answer of statvfs into facts. The share is counted as df does:
// of what an ordinary user can fill, so that it reaches 100 when nothing is
// left for them.
func (u fsUse) facts() *constatv1.FileSystemUse {
	f := &constatv1.FileSystemUse{ReadOnly: &u.readOnly, TotalBytes: set(int64(u.total)), FreeBytes: set(int64(u.available))}
	used := u.total - min(u.free, u.total)
	f.UsedPercent = percent(used, used+u.available)
	if u.inodes > 0 {
		f.TotalInodes, f.FreeInodes = set(int64(u.inodes)), set(int64(u.freeInodes))
		f.UsedInodesPercent = percent(u.inodes-min(u.freeInodes, u.inodes), u.inodes)
	}
	return f
}

// percent is part of whole, rounded half up, at most 100; nil of nothing.
func percent(part, whole uint64) *int32 {
	if whole == 0 {
		return nil
	}
	return set(int32(min(100, float64(part)/float64(whole)*100+0.5)))
}
