# What the classes of VOC are called. The decoder refines one name of each class; the frozen CLIP
# takes the best of several, and things under "background" are none of the others.
decoder_names = [
    ['background'], ['aeroplane'], ['bicycle'], ['bird'], ['boat'], ['bottle'], ['bus'], ['car'],
    ['cat'], ['chair'], ['cow'], ['dining table'], ['dog'], ['horse'], ['motorbike'], ['person'],
    ['potted plant'], ['sheep'], ['sofa'], ['train'], ['tv monitor']]
guide_names = [
    ['background', 'sky', 'cloud', 'grass', 'tree', 'bush', 'field', 'soil', 'sand', 'rock', 'snow',
     'water', 'sea', 'river', 'mountain', 'road', 'pavement', 'platform', 'railway', 'bridge', 'fence',
     'building', 'house', 'wall', 'window', 'door', 'floor', 'ceiling', 'curtain', 'carpet', 'bed',
     'shelf', 'cupboard', 'lamp', 'sign', 'keyboard', 'book', 'cup', 'plate', 'food', 'bag', 'truck',
     'tractor', 'helmet', 'wheel'],
    ['aeroplane', 'airplane', 'jet', 'glider'], ['bicycle', 'bike'], ['bird', 'duck', 'parrot'],
    ['boat', 'ship', 'canoe'], ['bottle', 'wine bottle'], ['bus', 'coach'], ['car', 'van', 'taxi'],
    ['cat', 'kitten'], ['chair', 'armchair', 'stool'], ['cow', 'bull', 'calf'],
    ['dining table', 'table'], ['dog', 'puppy'], ['horse', 'pony'], ['motorbike', 'scooter'],
    ['person', 'man', 'woman', 'child'], ['potted plant', 'houseplant'], ['sheep', 'lamb'],
    ['sofa', 'couch'], ['train', 'tram', 'locomotive'], ['tv monitor', 'screen', 'television']]
