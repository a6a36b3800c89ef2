"""What becomes of each image of an enrolment."""

from collections import Counter
from uuid import UUID

from service.errors import AllRejectedError, ExternalIdConflictError
from service.gallery.schemas import EnrolledItem


class Outcomes:
    """What has become of each image of a request so far.

    Args:
        count: Number of images.
    """

    def __init__(self, count: int) -> None:
        self._settled: list[EnrolledItem | None] = [None] * count
        self._repeats: dict[int, int] = {}
        """Index of an image that repeats another of the same request, and of that other."""

    def enrolled(self, index: int, crop_id: UUID) -> None:
        """The image is a crop now."""
        self._settled[index] = EnrolledItem(index=index, status="enrolled", id=crop_id)

    def duplicate(self, index: int, crop_id: UUID) -> None:
        """The image was a crop before."""
        self._settled[index] = EnrolledItem(index=index, status="duplicate", id=crop_id)

    def rejected(self, index: int, code: str, reason: str) -> None:
        """The image is refused."""
        self._settled[index] = EnrolledItem(index=index, status="rejected", reason=reason, code=code)

    def conflicting(self, index: int) -> None:
        """The image is refused for its external id."""
        self.rejected(index, ExternalIdConflictError.code, "external_id: is taken by another image")

    def repeated(self, index: int, earlier: int) -> None:
        """The image repeats an earlier one of the request, and shares its fate."""
        self._repeats[index] = earlier

    def items(self) -> list[EnrolledItem]:
        """What became of every image, once all are settled."""
        return [
            self._repetition(index) if index in self._repeats else self._outcome(index)
            for index in range(len(self._settled))
        ]

    def raise_if_all_rejected(self) -> None:
        """Refuse the request where nothing came of it.

        Raises:
            AllRejectedError: Not one image could be enrolled.
            ExternalIdConflictError: The same, every one for its external id.
        """
        items = self.items()
        if any(item.status != "rejected" for item in items):
            return
        errors = [{"index": item.index, "code": item.code, "detail": item.reason} for item in items]
        codes = Counter(item.code for item in items)
        if set(codes) == {ExternalIdConflictError.code}:
            raise ExternalIdConflictError("Every external id is taken by another image.", errors=errors)
        counts = ", ".join(f"{code} ({count})" for code, count in codes.items())
        raise AllRejectedError(f"No image could be enrolled: {counts}.", errors=errors)

    def _outcome(self, index: int) -> EnrolledItem:
        outcome = self._settled[index]
        assert outcome is not None  # noqa: S101 - every image that is no repeat has been settled
        return outcome

    def _repetition(self, index: int) -> EnrolledItem:
        earlier = self._outcome(self._repeats[index])
        status = "rejected" if earlier.status == "rejected" else "duplicate"
        return earlier.model_copy(update={"index": index, "status": status})
