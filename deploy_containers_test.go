package cookiepolicy

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Containers have no rights, and nothing is published beyond the machine. Each gateway has a /data
// and so an instance ID of its own.
func TestDeployCompose(t *testing.T) {
	compose := decoded(t, "deploy/compose/compose.yml")
	services, _ := at(compose, "services").(map[string]any)
	if len(services) != 3 {
		t.Errorf("the services are %v", services)
	}
	data := map[string]bool{}
	for name, service := range services {
		want(t, name+": read_only", at(service, "read_only"), true)
		want(t, name+": cap_drop", at(service, "cap_drop"), []any{"ALL"})
		want(t, name+": security_opt", at(service, "security_opt"), []any{"no-new-privileges:true"})
		ports, _ := at(service, "ports").([]any)
		for _, port := range ports {
			if !strings.HasPrefix(port.(string), "127.0.0.1:") {
				t.Errorf("%s publishes %s", name, port)
			}
		}
		volumes, _ := at(service, "volumes").([]any)
		for _, volume := range volumes {
			from, to, _ := strings.Cut(volume.(string), ":")
			if to == "/etc/caddy:ro" {
				read(t, filepath.Join("deploy/compose", from, "Caddyfile"))
				continue
			}
			if to != "/data" || data[from] || at(compose, "volumes").(map[string]any)[from] == nil {
				t.Errorf("%s: the volume %s is that of another service, or is not declared", name, from)
			}
			data[from] = true
		}
	}
	dockerfile, _ := at(services["gateway-a"], "build", "dockerfile").(string)
	read(t, dockerfile)
	if ignored := read(t, "deploy/compose/.gitignore"); ignored != "redis_password.txt\n" ||
		at(compose, "secrets", "redis_password", "file") != "./redis_password.txt" {
		t.Errorf("git ignores %q", ignored)
	}
}

// The manifests fit together, and pods meet the Pod Security Standard "restricted".
func TestDeployKubernetes(t *testing.T) {
	const dir = "deploy/kubernetes/"
	kustomization := decoded(t, dir+"kustomization.yaml")
	files, err := filepath.Glob(dir + "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if resource := filepath.Base(file); resource != "kustomization.yaml" {
			resources, _ := at(kustomization, "resources").([]any)
			if !slices.Contains(resources, any(resource)) {
				t.Errorf("kustomization.yaml does not name %s", resource)
			}
			if manifest := decoded(t, file); at(manifest, "apiVersion") == nil || at(manifest, "kind") == nil {
				t.Errorf("%s has no apiVersion or kind", resource)
			}
		}
	}
	want(t, "resources", len(at(kustomization, "resources").([]any)), len(files)-1)
	want(t, "files of the ConfigMap", at(kustomization, "configMapGenerator", 0, "files"), []any{"Caddyfile"})
	want(t, "the namespace", at(decoded(t, dir+"namespace.yaml"), "metadata", "name"),
		at(kustomization, "namespace"))

	deployment := decoded(t, dir+"deployment.yaml")
	pod := at(deployment, "spec", "template")
	labels := at(pod, "metadata", "labels")
	service := decoded(t, dir+"service.yaml")
	want(t, "the Deployment's selector", at(deployment, "spec", "selector", "matchLabels"), labels)
	want(t, "the Service's selector", at(service, "spec", "selector"), labels)
	want(t, "the budget's selector", at(decoded(t, dir+"poddisruptionbudget.yaml"), "spec", "selector",
		"matchLabels"), labels)
	want(t, "replicas", at(deployment, "spec", "replicas"), 3)

	container := at(pod, "spec", "containers", 0)
	ports := map[any]any{}
	for _, port := range at(container, "ports").([]any) {
		ports[at(port, "name")] = at(port, "containerPort")
	}
	caddyfile := read(t, dir+"Caddyfile")
	want(t, "ports", ports, map[any]any{"http": 8080, "metrics": 9180})
	for _, site := range []string{"http://data.city.example:8080 {", "http://:9180 {", "respond /healthz 200",
		"metrics " + at(pod, "metadata", "annotations", "prometheus.io/path").(string) + "\n"} {
		if !strings.Contains(caddyfile, site) {
			t.Errorf("the Caddyfile has no %q", site)
		}
	}
	want(t, "the port to scrape", at(pod, "metadata", "annotations", "prometheus.io/port"), "9180")
	want(t, "the Service's port", at(service, "spec", "ports", 0, "targetPort"), "http")
	for _, probe := range []string{"readinessProbe", "livenessProbe"} {
		want(t, probe, at(container, probe, "httpGet"), map[string]any{"port": "metrics", "path": "/healthz"})
	}

	want(t, "seccomp", at(pod, "spec", "securityContext", "seccompProfile", "type"), "RuntimeDefault")
	want(t, "not root", at(pod, "spec", "securityContext", "runAsNonRoot"), true)
	want(t, "rights", at(container, "securityContext"), map[string]any{"allowPrivilegeEscalation": false,
		"readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}}})

	volumes := map[any]any{}
	for _, volume := range at(pod, "spec", "volumes").([]any) {
		volumes[at(volume, "name")] = volume
	}
	for _, mount := range at(container, "volumeMounts").([]any) {
		if volumes[at(mount, "name")] == nil {
			t.Errorf("there is no volume for %v", mount)
		}
	}
	want(t, "the ConfigMap", at(volumes["caddyfile"], "configMap", "name"),
		at(kustomization, "configMapGenerator", 0, "name"))
}
