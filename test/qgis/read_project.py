"""What QGIS makes of a project: its layers as they come when the file is opened, without a setting changed.

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 read_project.py PROJECT.gpkg [PICTURE.png]

Prints JSON: every layer with CRS, number of features, extent, renderer, the colour and label of each category, and the
colours that its polygons have when drawn on white, by class.
"""

import json
import sys
from collections import Counter

from qgis.core import (
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsProviderRegistry,
    QgsVectorLayer,
    Qgis,
)
from PyQt5.QtCore import QSize
from PyQt5.QtGui import QColor


def drawn(layer, picture):
    """The layer on white over its whole extent; for each class, the colours at points inside its larger polygons."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setBackgroundColor(QColor("white"))
    settings.setOutputSize(QSize(1000, 1000))
    extent = layer.extent()
    extent.scale(1.05)
    settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    if picture:
        image.save(picture)
    to_pixel = settings.mapToPixel()
    colours = {}
    for feature in layer.getFeatures():
        geometry = feature.geometry()
        point = geometry.poleOfInaccessibility(settings.mapUnitsPerPixel() / 2)
        # Nearer to an edge than this, neighbours blend into the pixel.
        if point[1] < 2 * settings.mapUnitsPerPixel():
            continue
        pixel = to_pixel.transform(QgsPointXY(point[0].asPoint()))
        colour = QColor(image.pixel(int(pixel.x()), int(pixel.y()))).name()
        colours.setdefault(str(feature["class_id"]), Counter())[colour] += 1
    return {key: dict(counter) for key, counter in colours.items()}


def described(sublayer, picture):
    layer = QgsVectorLayer(sublayer.uri(), sublayer.name(), "ogr")
    found = {
        "name": sublayer.name(),
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "features": layer.featureCount(),
        "fields": [field.name() for field in layer.fields()],
        "geometry": int(layer.geometryType()),
        "extent": [
            layer.extent().xMinimum(),
            layer.extent().yMinimum(),
            layer.extent().xMaximum(),
            layer.extent().yMaximum(),
        ],
        "invalid": sum(1 for feature in layer.getFeatures() if not feature.geometry().isGeosValid()),
        "opacity": layer.opacity(),
        "renderer": layer.renderer().type() if layer.renderer() else None,
    }
    renderer = layer.renderer()
    if isinstance(renderer, QgsCategorizedSymbolRenderer):
        found["attribute"] = renderer.classAttribute()
        found["categories"] = [
            {
                "value": category.value(),
                "label": category.label(),
                "colour": category.symbol().color().name(),
                "alpha": category.symbol().color().alpha(),
            }
            for category in renderer.categories()
        ]
        found["drawn"] = drawn(layer, picture)
    return found


def main():
    project, *rest = sys.argv[1:]
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    sublayers = QgsProviderRegistry.instance().querySublayers(project)
    spatial = [sublayer for sublayer in sublayers if sublayer.wkbType() not in (0, 100)]
    told = {
        "version": Qgis.QGIS_VERSION,
        "tables": [sublayer.name() for sublayer in sublayers if sublayer not in spatial],
        "layers": [described(sublayer, rest[0] if rest else None) for sublayer in spatial],
    }
    print(json.dumps(told))
    QgsProject.instance().clear()
    application.exitQgis()


main()
