import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import { Problem } from '../../worker/report/problem.ts';

/** Polygons lie over imagery: the scene should shine through. */
const opacity = 0.7;
/** Millimetres. A thin edge in the fill's colour closes the hairlines that anti-aliasing leaves between neighbours. */
const outlineWidth = 0.1;

/** Escapes text for XML content and attributes; characters that XML 1.0 forbids become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function channels(entry: ClassEntry): [number, number, number] {
  if (!/^#[0-9a-f]{6}$/i.test(entry.colour))
    throw new Problem(
      'style/colour',
      `Class "${entry.name}": "${entry.colour}" is not a colour.`,
      'Write colours as #rrggbb.',
    );
  const value = Number.parseInt(entry.colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/**
 * A QGIS 3 layer style: one category of `class_id` a class, filled with its colour. Symbol properties stand there
 * twice, as `Option` (QGIS 3.20 and later) and as `prop` (before).
 */
export function qmlStyle(classes: readonly ClassEntry[]): string {
  const categories: string[] = [];
  const symbols: string[] = [];
  classes.forEach((entry, index) => {
    const colour = `${channels(entry).join(',')},255`;
    const properties: [string, string][] = [
      ['border_width_map_unit_scale', '3x:0,0,0,0,0,0'],
      ['color', colour],
      ['joinstyle', 'bevel'],
      ['offset', '0,0'],
      ['offset_map_unit_scale', '3x:0,0,0,0,0,0'],
      ['offset_unit', 'MM'],
      ['outline_color', colour],
      ['outline_style', 'solid'],
      ['outline_width', String(outlineWidth)],
      ['outline_width_unit', 'MM'],
      ['style', 'solid'],
    ];
    categories.push(
      `      <category type="long" value="${entry.id}" symbol="${index}" label="${escapeXml(entry.name)}" render="true"/>`,
    );
    symbols.push(
      `      <symbol type="fill" name="${index}" alpha="1" clip_to_extent="1" force_rhr="0">
        <layer class="SimpleFill" enabled="1" pass="0" locked="0">
          <Option type="Map">
${properties.map(([name, value]) => `            <Option type="QString" name="${name}" value="${value}"/>`).join('\n')}
          </Option>
${properties.map(([name, value]) => `          <prop k="${name}" v="${value}"/>`).join('\n')}
        </layer>
      </symbol>`,
    );
  });
  return `<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.28.0" styleCategories="Symbology|Rendering">
  <renderer-v2 type="categorizedSymbol" attr="class_id" symbollevels="0" enableorderby="0" forceraster="0">
    <categories>
${categories.join('\n')}
    </categories>
    <symbols>
${symbols.join('\n')}
    </symbols>
    <rotation/>
    <sizescale/>
  </renderer-v2>
  <blendMode>0</blendMode>
  <featureBlendMode>0</featureBlendMode>
  <layerOpacity>${opacity}</layerOpacity>
  <layerGeometryType>2</layerGeometryType>
</qgis>
`;
}

/** The same as an OGC Styled Layer Descriptor 1.1 (Symbology Encoding), for programs other than QGIS. */
export function sldStyle(layer: string, classes: readonly ClassEntry[]): string {
  const rules = classes.map((entry) => {
    channels(entry);
    const name = escapeXml(entry.name);
    return `        <se:Rule>
          <se:Name>${name}</se:Name>
          <se:Description>
            <se:Title>${name}</se:Title>
          </se:Description>
          <ogc:Filter>
            <ogc:PropertyIsEqualTo>
              <ogc:PropertyName>class_id</ogc:PropertyName>
              <ogc:Literal>${entry.id}</ogc:Literal>
            </ogc:PropertyIsEqualTo>
          </ogc:Filter>
          <se:PolygonSymbolizer>
            <se:Fill>
              <se:SvgParameter name="fill">${entry.colour.toLowerCase()}</se:SvgParameter>
              <se:SvgParameter name="fill-opacity">${opacity}</se:SvgParameter>
            </se:Fill>
          </se:PolygonSymbolizer>
        </se:Rule>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor xmlns="http://www.opengis.net/sld" xmlns:se="http://www.opengis.net/se" xmlns:ogc="http://www.opengis.net/ogc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.opengis.net/sld http://schemas.opengis.net/sld/1.1.0/StyledLayerDescriptor.xsd" version="1.1.0">
  <NamedLayer>
    <se:Name>${escapeXml(layer)}</se:Name>
    <UserStyle>
      <se:Name>${escapeXml(layer)}</se:Name>
      <se:FeatureTypeStyle>
${rules.join('\n')}
      </se:FeatureTypeStyle>
    </UserStyle>
  </NamedLayer>
</StyledLayerDescriptor>
`;
}
