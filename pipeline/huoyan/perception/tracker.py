"""Following things through a video, so that one truck is one truck.

ByteTrack's two-stage association (Zhang et al., ECCV 2022, arXiv:2110.06864) with the constant-velocity
Kalman filter of SORT (Bewley et al., 2016, arXiv:1602.00763), written for footage sampled at any rate:
time is counted in steps of the usual time between frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from huoyan.perception import boxes
from huoyan.perception.boxes import Boxes, Matrix
from huoyan.records import Detection

Vector = npt.NDArray[np.float64]
Indices = list[int]

# Noise as a share of the box's size (ByteTrack's values): of a position, and of a velocity per step.
_POSITION = 1 / 20
_VELOCITY = 1 / 160
_INF = 1e6
# From one look to the next no area grows or shrinks so many times: a truck that covers a parked car is not the car.
_GROWS = 2.2


@dataclass(slots=True)
class _Track:
    """State of one thing: centre x, centre y, width, height and their velocities per step."""

    track_id: int
    label: str
    mean: Vector
    covariance: Vector
    seen: datetime
    predicted_to: datetime


class Tracker:
    """Gives detections of one video their track ids. Make one per video; the answers are deterministic.

    Ids count from 1 in each video. They live in the video only: nothing outside it may rely on them.
    """

    def __init__(
        self,
        *,
        high: float = 0.5,
        start: float = 0.1,
        min_iou: float = 0.1,
        lost_s: float = 3.0,
        lost_steps: int = 5,
    ) -> None:
        """Set up.

        Args:
            high: scores from here on are associated first.
            start: scores from here on may begin a track.
            min_iou: overlap of a detection with a predicted box, at least.
            lost_s: a thing out of sight this long (seconds) is forgotten, but
            lost_steps: not before this many frames, however far apart they are.
        """
        self.high = high
        self.start = start
        self.min_iou = min_iou
        self.lost_s = lost_s
        self.lost_steps = lost_steps
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._last: datetime | None = None
        self._step_s = 0.0

    def update(self, detections: Sequence[Detection], time: datetime) -> list[Detection]:
        """The detections of the next frame, in their order, with their track ids.

        Args:
            detections: of one frame.
            time: of that frame, aware; frames come in time order.
        """
        self._advance(time)
        measured = np.array([d.box for d in detections], dtype=np.float32).reshape(-1, 4)
        ids: dict[int, int] = {}
        free_tracks = list(range(len(self._tracks)))
        strong = [i for i, d in enumerate(detections) if d.score >= self.high]
        weak = [i for i, d in enumerate(detections) if d.score < self.high]
        for stage in (strong, weak):
            for track_index, index in self._match(free_tracks, stage, detections, measured):
                track = self._tracks[track_index]
                _correct(track, _as_state(measured[index]))
                track.seen, track.label = time, detections[index].label
                ids[index] = track.track_id
                free_tracks.remove(track_index)
        for index, detection in enumerate(detections):
            if index not in ids and detection.score >= self.start:
                ids[index] = self._begin(detection, measured[index], time)
        return [replace(d, track_id=ids.get(i)) for i, d in enumerate(detections)]

    def _advance(self, time: datetime) -> None:
        """Forget what is out of sight too long, move the rest to `time`."""
        if self._last is not None:
            elapsed = max(0.0, (time - self._last).total_seconds())
            # Slow to change, so that a stall of the source does not redefine the step.
            self._step_s = elapsed if not self._step_s else min(elapsed, 0.8 * self._step_s + 0.2 * elapsed)
        self._last = time
        step = self._step_s or 1.0
        patience = max(self.lost_s, self.lost_steps * step)
        self._tracks = [t for t in self._tracks if (time - t.seen).total_seconds() <= patience + 1e-6]
        for track in self._tracks:
            _predict(track, (time - track.predicted_to).total_seconds() / step)
            track.predicted_to = time

    def _match(
        self, tracks: Indices, chosen: Indices, detections: Sequence[Detection], measured: Boxes
    ) -> list[tuple[int, int]]:
        """Pairs (track, detection) of least total cost."""
        if not tracks or not chosen:
            return []
        predicted = np.array([_as_box(self._tracks[t].mean) for t in tracks], dtype=np.float32)
        overlap = boxes.iou(predicted, measured[chosen])
        labels = np.array([[self._tracks[t].label == detections[i].label for i in chosen] for t in tracks])
        cost = _cost(overlap, labels, self.min_iou)
        cost[_ratio(boxes.area(predicted), boxes.area(measured[chosen])) > _GROWS] = _INF
        rows, columns = linear_sum_assignment(cost)
        return [
            (tracks[r], chosen[c])
            for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
            if cost[r, c] < _INF
        ]

    def _begin(self, detection: Detection, box: Boxes, time: datetime) -> int:
        state = _as_state(box)
        size = np.tile(state[2:], 2)
        deviation = np.concatenate([2 * _POSITION * size, 10 * _VELOCITY * size])
        mean = np.concatenate([state, np.zeros(4)])
        self._tracks.append(_Track(self._next_id, detection.label, mean, np.diag(deviation**2), time, time))
        self._next_id += 1
        return self._next_id - 1


def _cost(overlap: Matrix, same_label: npt.NDArray[np.bool_], min_iou: float) -> npt.NDArray[np.float64]:
    """1 - IoU; a thing whose label flickers is followed if it hardly moved, but its own label is better."""
    least = np.where(same_label, min_iou, 0.5)
    cost: npt.NDArray[np.float64] = np.where(
        overlap >= least, 1.0 - overlap + np.where(same_label, 0.0, 0.5), _INF
    ).astype(np.float64)
    return cost


def _ratio(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> Matrix:
    """How many times as large the larger one is, of each of `a` (n,) with each of `b` (m,): (n, m)."""
    small, large = np.minimum.outer(a, b), np.maximum.outer(a, b)
    return np.asarray(large / np.maximum(small, 1.0), dtype=np.float32)


def _predict(track: _Track, steps: float) -> None:
    """Constant velocity over `steps`; what is not known of the motion widens the covariance."""
    if steps <= 0:
        return
    motion = np.eye(8)
    motion[:4, 4:] = np.eye(4) * steps
    size = np.tile(np.maximum(track.mean[2:4], 1.0), 2)
    noise = np.concatenate([_POSITION * size, _VELOCITY * size]) ** 2 * steps
    track.mean = motion @ track.mean
    track.mean[2:4] = np.maximum(track.mean[2:4], 1.0)
    track.covariance = motion @ track.covariance @ motion.T + np.diag(noise)


def _correct(track: _Track, state: Vector) -> None:
    """Kalman update with a measured centre and size."""
    size = np.tile(np.maximum(track.mean[2:4], 1.0), 2)
    innovation = track.covariance[:4, :4] + np.diag((_POSITION * size) ** 2)
    gain = np.linalg.solve(innovation, track.covariance[:4]).T
    track.mean = track.mean + gain @ (state - track.mean[:4])
    track.covariance = track.covariance - gain @ innovation @ gain.T


def _as_state(box: Boxes) -> Vector:
    x1, y1, x2, y2 = (float(v) for v in box)
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, 1.0), max(y2 - y1, 1.0)])


def _as_box(mean: Vector) -> tuple[float, float, float, float]:
    x, y, width, height = mean[:4].tolist()
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
