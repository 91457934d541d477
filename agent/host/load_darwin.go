package host

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// psWords list all processes, without their arguments.
var psWords = []string{"-axo", "pid=,state=,rss=,etime=,time=,comm="}

func readLoad(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("sysctl, vm_stat, top, ps, ioreg")
	look := macLook{since: time.Since(sysctl(r.sysctl).time("kern.boottime")).Seconds()}
	var err error
	if look.vmBefore, err = r.run(ctx, programLimit, vmStatProgram); err != nil {
		return nil, failed(o.Source, err)
	}
	var disksErr error
	if look.disksBefore, disksErr = r.registryOf(ctx, "IOBlockStorageDriver"); disksErr != nil {
		gap(o, "disks", disksErr)
	}
	begun := time.Now()
	if look.psBefore, err = r.run(ctx, programLimit, psProgram, psWords...); err != nil {
		gap(o, "processes", err)
	}
	// top measures between its two looks, one second apart.
	if look.top, err = r.run(ctx, programLimit, topProgram, "-l", "2", "-n", "0", "-s", "1"); err != nil {
		gap(o, "cpu.busy_percent", err)
	}
	look.sample = time.Since(begun)
	look.psAfter, _ = r.run(ctx, programLimit, psProgram, psWords...)
	look.vmAfter, _ = r.run(ctx, programLimit, vmStatProgram)
	if disksErr == nil {
		look.disksAfter, _ = r.registryOf(ctx, "IOBlockStorageDriver")
	}
	l := macLoad(r.sysctl, look)
	if l == nil {
		return nil, failed(o.Source, errors.New("the kernel does not tell how much memory there is"))
	}
	macGaps(o, "load")
	return l, o
}
