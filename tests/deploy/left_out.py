"""Rules of polaris, kube-score and kubescape that no assertion stands for, and why."""

from collections.abc import Mapping

_NO_KIND = "there is no such object here; whoever adds one finds the rule here"
_BY_SCHEMA = "the schema of the version refuses it"
_OF_THE_CLUSTER = "asks about the cluster itself, or its operators' versions, which are not described here"
_NO_IDEA = "lists what there is, without saying what would be right"
_NO_RIGHTS = "nobody_has_a_right_in_the_cluster leaves nothing to ask about"
_BY_US = "the same is asked for more exactly by"

LEFT_OUT: Mapping[str, str] = {
    "polaris: deploymentMissingReplicas": f"{_BY_US} there_are_two_or_more_of_everything, whoever scales it",
    "polaris: missingNetworkPolicy": f"{_BY_US} rules/edges.py, edge by edge",
    "polaris: rolebindingClusterAdminRole": _NO_RIGHTS,
    "polaris: clusterrolebindingPodExecAttach": _NO_RIGHTS,
    "polaris: rolebindingRolePodExecAttach": _NO_RIGHTS,
    "polaris: rolebindingClusterRolePodExecAttach": _NO_RIGHTS,
    "polaris: pdbMinAvailableEqualToHPAMinReplicas": f"{_BY_US} a_node_can_be_drained_and_one_replica_stays",
    "polaris: pdbMinAvailableGreaterThanHPAMaxReplicas": f"{_BY_US} a_node_can_be_drained_and_one_replica_stays",
    "polaris: gatewayInsecureFrontendValidation": "customers have no certificates",
    "polaris: httpRouteBackendTLSMissing": "TLS ends at the door; behind it network policies say who may speak to whom",
    "polaris: kgatewayBackendTLSVerificationDisabled": _NO_KIND,
    "kube-score: container-resource-requests-equal-limits": "optional there; what is idle need not be paid for",
    "kube-score: container-cpu-requests-equal-limits": "optional there, as above",
    "kube-score: container-memory-requests-equal-limits": "optional there, as above",
    "kube-score: container-ephemeral-storage-request-equals-limit": "optional there, as above",
    "kube-score: cronjob-has-deadline": _NO_KIND,
    "kube-score: cronjob-restartpolicy": _NO_KIND,
    "kube-score: pod-networkpolicy": f"{_BY_US} rules/edges.py",
    "kube-score: stable-version": _BY_SCHEMA,
    "kube-score: label-values": "the API server's own check of labels, and kustomize sets ours from names",
    "kube-score: deployment-strategy": f"{_BY_US} a_new_version_takes_no_replica_away",
    "kube-score: deployment-replicas": f"{_BY_US} there_are_two_or_more_of_everything",
    "kube-score: statefulset-has-host-podantiaffinity": f"{_BY_US} replicas_are_spread_over_nodes_and_zones",
    **dict.fromkeys(
        (f"kubescape: C-{number:04}" for number in (5, 52, 66, 67, 68, 69, 70, 79, 81, 87, 88, 90, 91)), _OF_THE_CLUSTER
    ),
    "kubescape: C-0031": _NO_RIGHTS,
    "kubescape: C-0004": "replaced there by C-0269 and C-0271",
    "kubescape: C-0009": "replaced there by C-0268 to C-0271",
    "kubescape: C-0050": "replaced there by C-0268 and C-0270",
    "kubescape: C-0014": _NO_KIND,
    "kubescape: C-0020": "about volumes of the node with a cloud's credentials: nothing_of_the_node_is_mounted",
    "kubescape: C-0021": "a list of names of well-known dashboards, none of which is here",
    "kubescape: C-0026": _NO_KIND,
    "kubescape: C-0030": f"{_BY_US} rules/edges.py",
    "kubescape: C-0036": _OF_THE_CLUSTER,
    "kubescape: C-0038": "replaced there by C-0275 and C-0276",
    "kubescape: C-0039": _OF_THE_CLUSTER,
    "kubescape: C-0049": f"{_BY_US} rules/edges.py",
    "kubescape: C-0054": f"{_BY_US} rules/edges.py",
    "kubescape: C-0058": "an error of kubelets before 1.22",
    "kubescape: C-0059": _NO_KIND,
    "kubescape: C-0211": "the sum of the rules about security contexts",
    "kubescape: C-0237": "signatures are for the admission of a cluster to check",
    "kubescape: C-0253": "images of k8s.gcr.io; none is here, and compose's are the only ones",
    "kubescape: C-0257": _NO_IDEA,
    "kubescape: C-0258": _NO_IDEA,
    "kubescape: C-0260": f"{_BY_US} rules/edges.py",
    "kubescape: C-0264": "the class of storage belongs to the cluster",
    "kubescape: C-0267": _NO_RIGHTS,
    "kubescape: C-0273": _OF_THE_CLUSTER,
    "kubescape: C-0274": "services believe tokens, which chassis' own tests are about",
}
