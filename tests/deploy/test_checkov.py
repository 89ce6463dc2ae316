"""What is waived of checkov's findings, and that nothing is waived in silence. Checkov itself: `make deploy-test`."""

from deploy.local.place import ROOT
from tests.deploy.checkov import PACKAGE, Waiver, failures, unused, unwaived, waivers

REPORT = {
    "results": {
        "failed_checks": [
            {
                "file_path": "/local.yaml",
                "resource": "Deployment.banyan.orders",
                "check_id": "CKV_K8S_43",
                "check_name": "Image should use digest",
            }
        ]
    }
}
(FOUND,) = failures(REPORT)
WAIVER = Waiver("CKV_K8S_43", ("Deployment/orders",), "the tag is a commit")


def test_each_waiver_says_why() -> None:
    assert [each.check for each in waivers() if len(each.reason.split()) < 6 or not each.objects] == []
    assert len({each.check for each in waivers()}) == len(waivers())


def test_it_is_the_checkov_that_looks_at_recipes_of_images_as_well() -> None:
    assert f"CHECKOV := {PACKAGE}\n" in (ROOT / "Makefile").read_text()


def test_an_object_is_known_by_its_kind_and_name() -> None:
    assert (FOUND.overlay, FOUND.check, FOUND.name) == ("local", "CKV_K8S_43", "Deployment/orders")


def test_what_is_waived_is_no_failure_and_anything_else_is() -> None:
    assert unwaived([FOUND], [WAIVER]) == []
    assert unwaived([FOUND], [Waiver("CKV_K8S_43", ("*",), "")]) == []
    assert len(unwaived([FOUND], [Waiver("CKV_K8S_43", ("Deployment/payments",), "")])) == 1
    assert len(unwaived([FOUND], [Waiver("CKV_K8S_8", ("*",), "")])) == 1


def test_a_waiver_that_nobody_needs_is_one_too_many() -> None:
    assert unused([FOUND], [WAIVER]) == []
    assert len(unused([], [WAIVER])) == 1
    assert len(unused([FOUND], [Waiver("CKV_K8S_43", ("Deployment/orders", "Deployment/psp"), "")])) == 1
    assert len(unused([FOUND], [Waiver("CKV_K8S_8", ("*",), "")])) == 1
