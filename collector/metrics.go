package main

import (
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves what the parts of the collector count, to this machine as it is
// and to others with an API token: how many devices and agents an organisation
// has, and of which release this is, is nobody else's business.
func (srv *server) metrics(parts ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(parts, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))...)
	serve := promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r) && !srv.carriesToken(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "metrics are for this machine, and for those with a token of `constat-collector user token NAME`", http.StatusUnauthorized)
			return
		}
		serve.ServeHTTP(w, r)
	})
}

// fromHere tells a request of this machine's own. What a proxy hands on comes from
// elsewhere.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return false
	}
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return true
}

func (srv *server) carriesToken(r *http.Request) bool {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "bearer") || token == "" {
		return false
	}
	_, err := srv.accounts.TokenUser(r.Context(), token)
	return err == nil
}
