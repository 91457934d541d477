package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readSecurity(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("registry: Security Center, Windows Defender, certificate stores; service control manager")
	s := &constatv1.Security{}
	var centreErr error
	for place, kind := range map[string]string{"Av": "antivirus", "Fw": "firewall"} {
		keys, err := registryBelow(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Security Center\Provider\`+place, 0)
		centreErr = cmp.Or(centreErr, err)
		for _, key := range keys {
			if p := securityProduct(key, kind); p != nil {
				s.Products = append(s.Products, p)
			}
		}
	}
	services, err := r.listServices()
	if err != nil {
		gap(o, "products", err)
	}
	hasAntivirus := slices.ContainsFunc(s.Products, func(p *constatv1.SecurityProduct) bool { return p.GetKind() == "antivirus" })
	for _, service := range services {
		running := service.facts().GetState() == "running"
		if service.name == "WinDefend" && !hasAntivirus { // servers have no Security Center
			const place = `SOFTWARE\Microsoft\Windows Defender`
			watch, _ := registryValues(registry.LOCAL_MACHINE, place+`\Real-Time Protection`, 0)
			signatures, _ := registryValues(registry.LOCAL_MACHINE, place+`\Signature Updates`, 0)
			s.Products = append(s.Products, defender(running, watch, signatures, time.Now()))
		}
		if name := edrServices[service.name]; name != "" {
			s.Products = append(s.Products, &constatv1.SecurityProduct{Name: set(name), Kind: set("edr"), Enabled: set(running)})
		}
	}
	if len(s.Products) == 0 && centreErr != nil { // that nobody lists any is not that there is none
		gap(o, "products", centreErr)
	}
	slices.SortFunc(s.Products, func(a, b *constatv1.SecurityProduct) int {
		return strings.Compare(a.GetName()+" "+a.GetKind(), b.GetName()+" "+b.GetKind())
	})
	if s.AddedRoots, err = windowsRoots(); err != nil {
		gap(o, "added_roots", err)
	}
	own, err := storedCertificates(`SOFTWARE\Microsoft\SystemCertificates\MY`)
	if err != nil {
		gap(o, "certificates", err)
	}
	for _, der := range own {
		s.Certificates = append(s.Certificates, machineCertificates(der, "")...)
	}
	s.Certificates = s.Certificates[:min(len(s.Certificates), maxCertificates)]
	slices.SortFunc(s.Certificates, func(a, b *constatv1.MachineCertificate) int {
		return strings.Compare(a.GetPurpose()+a.GetSubject()+a.GetIssuer(), b.GetPurpose()+b.GetSubject()+b.GetIssuer())
	})
	if kinds, err := bitLocker(ctx); err != nil {
		gap(o, "disk_encrypted", err)
	} else if kind := kinds[os.Getenv("SystemDrive")]; kind != "" {
		s.DiskEncrypted = set(kind != "none")
	} else {
		gap(o, "disk_encrypted", fmt.Errorf("BitLocker does not name the system's volume: %w", errors.ErrUnsupported))
	}
	return s, o
}

// storedCertificates are the certificates of one of the registry's stores; none
// where there is no such store.
func storedCertificates(store string) ([][]byte, error) {
	keys, err := registryBelow(registry.LOCAL_MACHINE, store+`\Certificates`, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list [][]byte
	for _, key := range keys[:min(len(keys), maxRoots)] {
		if der := certificateOf(key.bytes("Blob")); der != nil {
			list = append(list, der)
		}
	}
	return list, err
}

// windowsRoots names the authorities that policy, the domain or a person made this
// machine trust, sorted.
func windowsRoots() ([]string, error) {
	var roots []string
	for _, store := range []string{
		`SOFTWARE\Microsoft\SystemCertificates\ROOT`, `SOFTWARE\Policies\Microsoft\SystemCertificates\Root`, `SOFTWARE\Microsoft\EnterpriseCertificates\Root`,
	} {
		list, err := storedCertificates(store)
		if err != nil {
			return nil, err
		}
		for _, der := range list {
			if name := addedRoot(der); name != "" {
				roots = append(roots, name)
			}
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots), nil
}
