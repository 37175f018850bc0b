"""The Kafka UI notices that it has another address on its network."""

from __future__ import annotations

from address_watch import watch


class Name:
    """What a name stands for, one look after the other; None where it stands for nothing."""

    def __init__(self, *addresses: str | None) -> None:
        self.addresses = list(addresses)
        self.told: list[str] = []

    def resolve(self, host: str) -> str:
        assert host == "ui-source-web"
        if not self.addresses:
            raise AssertionError("looked once more, after the end")
        address = self.addresses.pop(0)
        if address is None:
            raise OSError("no such name")
        return address

    def watched(self) -> list[str]:
        watch("ui-source-web", self.resolve, self.told.append, lambda seconds: None)
        return self.told


def test_another_address_ends_it_once() -> None:
    name = Name("172.18.0.5", "172.18.0.5", "172.18.0.9")
    assert name.watched() == ["ui-source-web was 172.18.0.5 and is 172.18.0.9: starting anew, to listen there"]


def test_while_it_is_off_the_network_nothing_is_known() -> None:
    name = Name(None, "172.18.0.5", None, None, "172.18.0.5", None, "172.18.0.6")
    assert len(name.watched()) == 1
    assert name.addresses == []
