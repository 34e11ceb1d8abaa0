"""A few images in the layout that configs for COCO expect."""

import json

import cv2
import numpy as np
from mmdet.datasets import CocoDataset

SIZES = [(60, 90), (90, 60), (64, 64), (60, 96), (96, 60), (80, 72)]  # height, width


def write_miniature_coco(root, labeled=2):
    """Folder `train2017` and the two lists of the first split of 10 %; the rest is unlabeled."""
    images, annotations = [], []
    (root / "train2017").mkdir(parents=True)
    (root / "semi_anns").mkdir()
    for number, (height, width) in enumerate(SIZES):
        name = f"{number:012d}.jpg"
        image = np.random.RandomState(number).randint(0, 256, (height, width, 3), np.uint8)
        cv2.imwrite(str(root / "train2017" / name), cv2.GaussianBlur(image, (0, 0), 3))
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        box = [width * 0.2, height * 0.3, width * 0.4, height * 0.5]
        annotations.append(
            {
                **{"id": number + 1, "image_id": number, "category_id": 1, "iscrowd": 0},
                **{"bbox": box, "area": box[2] * box[3]},
            }
        )
    names = CocoDataset.METAINFO["classes"]
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(names)]
    for end, first, last in (("", 0, labeled), ("-unlabeled", labeled, len(SIZES))):
        content = {"images": images[first:last], "categories": categories}
        content["annotations"] = [] if end else annotations[first:last]
        path = root / "semi_anns" / f"instances_train2017.1@10{end}.json"
        path.write_text(json.dumps(content))
    return f"{root}/"
