"""Files with holes: what was written is found, to the last byte, and the zeros of a hole are not read."""

from pathlib import Path

from workers.scan.scanner import PIECE_BYTES, scan

TOKEN = "Quixomatl-Street"
PAGE = 4096
LENGTH = 16 * PIECE_BYTES


def written(path: Path, *parts: tuple[int, bytes], length: int = LENGTH) -> Path:
    with path.open("wb") as file:
        for offset, content in parts:
            file.seek(offset)
            file.write(content)
        file.truncate(length)
    return path


def found(path: Path, token: str = TOKEN) -> list[int]:
    report = scan([token], [path])
    assert report.unread == ()
    return [one.offset for one in report.findings for _ in range(one.count)]


def test_what_stands_between_holes_is_found_at_its_place(tmp_path: Path) -> None:
    token = TOKEN.encode()
    places = [0, 3 * PIECE_BYTES + 5, LENGTH - len(token)]
    for number, place in enumerate(places):
        assert found(written(tmp_path / str(number), (place, token))) == [place]
    together = scan([TOKEN], [written(tmp_path / "all", *((place, token) for place in places))])
    assert [(one.offset, one.count) for one in together.findings] == [(0, 3)]


def test_its_first_and_its_last_byte_may_be_a_zero_of_the_hole(tmp_path: Path) -> None:
    little, big = TOKEN.encode("utf-16-le"), TOKEN.encode("utf-16-be")
    assert 2 * PAGE + 1 - len(little) in found(written(tmp_path / "1", (2 * PAGE + 1 - len(little), little[:-1])))
    assert 9 * PAGE - 1 in found(written(tmp_path / "2", (9 * PAGE, big[1:])))


def test_what_lies_over_two_pieces_is_found_once(tmp_path: Path) -> None:
    token = TOKEN.encode()
    file = written(tmp_path / "file", (PIECE_BYTES - 3, token), length=3 * PIECE_BYTES)
    assert found(file) == [PIECE_BYTES - 3]
    dense = tmp_path / "dense"
    dense.write_bytes(file.read_bytes())
    assert found(dense) == [PIECE_BYTES - 3]


def test_a_hole_is_not_read(tmp_path: Path) -> None:
    report = scan([TOKEN], [written(tmp_path / "file", (0, b"x"), (LENGTH // 2, b"y"))])
    assert report.size_bytes < LENGTH / 8
    assert scan([TOKEN], [written(tmp_path / "empty", length=0)]).is_clean
    assert scan([TOKEN], [written(tmp_path / "hole")]).is_clean
