"""A real Kubernetes control plane on one machine, without containers.

The kube-apiserver, scheduler, controllers, etcd, Prometheus and Alertmanager are the
real programs; only kubelets are simulated, by kwok.  See ``lab/README.md``.
"""
