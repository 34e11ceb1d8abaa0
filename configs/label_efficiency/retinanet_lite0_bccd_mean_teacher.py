# A mean teacher with one threshold on the blood cells: what is below it is background.
_base_ = './retinanet_lite0_bccd.py'
