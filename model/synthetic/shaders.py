"""GLSL of the stage: vehicles and the road are lit in linear light, and the result is mapped to sRGB."""

from typing import Final

VERTEX: Final = """//VTK::System::Dec
in vec4 vertexMC;
in vec3 aNormal;
in vec2 aPlace;
out vec3 vPosition;
out vec3 vNormal;
out vec2 vPlace;
//VTK::CustomUniforms::Dec
void main()
{
  // Heading and place of the object: x, y, cos and sin of the turn about z.
  vec3 p = vertexMC.xyz;
  vPosition = vec3(uPose.z * p.x - uPose.w * p.y + uPose.x, uPose.w * p.x + uPose.z * p.y + uPose.y, p.z);
  vNormal = vec3(uPose.z * aNormal.x - uPose.w * aNormal.y, uPose.w * aNormal.x + uPose.z * aNormal.y, aNormal.z);
  vPlace = aPlace;
  gl_Position = vec4(dot(uClipX, vec4(vPosition, 1.0)), dot(uClipY, vec4(vPosition, 1.0)),
                     dot(uClipZ, vec4(vPosition, 1.0)), dot(uClipW, vec4(vPosition, 1.0)));
}
"""

_COMMON: Final = """//VTK::System::Dec
//VTK::Output::Dec
in vec3 vPosition;
in vec3 vNormal;
in vec2 vPlace;
//VTK::CustomUniforms::Dec
uniform sampler2D chartTexture;

// Software renderers pay dearly for pow and sin: squares stand in for the sRGB curve, a chart for the surroundings.
vec3 linear(vec3 c) { return c * c; }
float fifth(float x) { float y = x * x; return y * y * x; }

// What a mirror looking along r sees. The chart shows the upper half space as a disc seen from below, sharp on its left
// half and blurred on its right half; below the horizon is the road.
vec3 surroundings(vec3 r, float blurred)
{
  vec2 disc = r.xy / (1.0 + abs(r.z)) * 0.5;
  vec3 c = texture(chartTexture, vec2(disc.x * 0.5 + 0.25 + 0.5 * blurred, disc.y + 0.5)).rgb;
  return mix(uRoadLight, c * uChartScale, smoothstep(-0.08, 0.04, r.z));
}

// Light from the whole half space around n.
vec3 ambient(vec3 n)
{
  vec3 up = mix(uHorizon, uZenith, 0.55);
  vec3 level = 0.55 * uHorizon + 0.25 * uRoadLight;
  vec3 c = mix(level, up, clamp(n.z, 0.0, 1.0));
  return mix(c, uRoadLight, clamp(-n.z, 0.0, 1.0));
}

vec3 developed(vec3 c)
{
  c *= uExposure;
  c = c * (2.51 * c + 0.03) / (c * (2.43 * c + 0.59) + 0.14);
  return sqrt(clamp(c, 0.0, 1.0));
}
"""

VEHICLE: Final = (
    _COMMON
    + """
uniform sampler2D colourTexture;
uniform sampler2D finishTexture;
void main()
{
  vec4 skin = texture(colourTexture, vPlace);
  if (skin.a < 0.5) discard;
  vec3 finish = texture(finishTexture, vPlace).rgb;
  vec3 base = linear(skin.rgb);
  float metal = finish.r, gloss = finish.g, lamp = finish.b;
  vec3 n = normalize(vNormal);
  vec3 v = normalize(uEye - vPosition);
  float facing = clamp(dot(n, v), 0.0, 1.0);
  float ndl = clamp(dot(n, uSunDirection), 0.0, 1.0);
  // Little sky reaches what hangs low and looks down or sideways.
  float open = mix(0.40 + 0.60 * smoothstep(0.05, 0.75, vPosition.z), 1.0, clamp(n.z, 0.0, 1.0));
  vec3 r = reflect(-v, n);
  float fresnel = fifth(1.0 - facing);
  vec3 diffuse = base * (1.0 - 0.75 * metal) * (ambient(n) * open + uSunColour * ndl);
  vec3 halfway = normalize(v + uSunDirection);
  float ndh = clamp(dot(n, halfway), 0.0, 1.0);
  float h4 = ndh * ndh; h4 *= h4;
  float h16 = h4 * h4 * h4 * h4, h32 = h16 * h16, h256 = h32 * h32; h256 *= h256; h256 *= h256;
  // Flakes mirror broadly in the paint's own colour, the clear coat sharply in white.
  vec3 flakes = base * metal * (1.1 * surroundings(r, 1.0) + uSunColour * ndl * 2.2 * h16);
  float coat = (0.045 + 0.80 * fresnel) * gloss;
  coat = mix(coat, 0.10 + 0.85 * fresnel, smoothstep(0.92, 1.0, gloss) * (1.0 - metal));
  vec3 mirror = surroundings(r, step(gloss, 0.3)) * mix(0.5, 1.0, open);
  vec3 glint = uSunColour * ndl * gloss * (2.5 * h256 + 0.12 * h32);
  vec3 c = diffuse * (1.0 - coat) + flakes + coat * mirror + glint;
  float white = smoothstep(0.75, 1.0, lamp), red = smoothstep(0.2, 0.45, lamp) * (1.0 - smoothstep(0.55, 0.8, lamp));
  c += white * uHeadlight * vec3(1.0, 0.95, 0.85) + red * uTaillight * base * 3.0;
  gl_FragData[0] = vec4(developed(c), 1.0);
}
"""
)

GROUND: Final = (
    _COMMON
    + """
uniform sampler2D shadowTexture;
uniform sampler2D noiseTexture;
float stripe(float d, float w) { float a = fwidth(d) + 0.01; return 1.0 - smoothstep(w - a, w + a, abs(d)); }
void main()
{
  vec2 p = vPosition.xy;
  vec2 q = p + uShift.xy;
  float fine = texture(noiseTexture, q / 1.7).r - 0.5, broad = texture(noiseTexture, q / 23.0).g - 0.5;
  float streak = texture(noiseTexture, vec2(q.x / 60.0, q.y / 3.0)).b - 0.5;
  float left = uLane.x * (0.5 + uLane.z), right = -uLane.x * (0.5 + uLane.y);
  float wear = 0.10 * exp(-pow((abs(mod(q.y + 0.5 * uLane.x, uLane.x) - 0.5 * uLane.x) - 0.8) / 0.3, 2.0));
  vec3 road = uAsphalt * vec3(1.0, 0.99, 0.97) * (1.0 + 0.35 * fine + 0.35 * broad + 0.22 * streak - wear);
  float lane = q.y - (floor(q.y / uLane.x) + 0.5) * uLane.x;
  float dashed = step(mod(q.x, 9.0), 4.0);
  float inner = stripe(mod(q.y, uLane.x) - 0.5 * uLane.x, 0.07) * dashed;
  float outer = max(stripe(q.y - left + 0.25, 0.08), stripe(q.y - right - 0.25, 0.08));
  float paint = max(inner * step(right + 1.0, q.y) * step(q.y, left - 1.0), outer) * (0.75 + 0.5 * broad);
  road = mix(road, vec3(0.55, 0.55, 0.52), clamp(paint, 0.0, 0.9));
  float beyond = max(q.y - left - 0.4, right - 0.4 - q.y);
  vec3 side = uSide * (1.0 + 0.7 * fine + 0.5 * broad);
  float kerb = smoothstep(0.0, 0.04, beyond) * (1.0 - smoothstep(0.18, 0.22, beyond));
  vec3 base = mix(road, side, smoothstep(0.18, 0.24, beyond));
  base = mix(base, vec3(0.33, 0.33, 0.31), kerb);
  base = max(base, vec3(0.01));
  // Shadow picture: r keeps the sun off, g keeps the sky off.
  vec2 s = (p / uShadowSize) + 0.5;
  vec2 dark = texture(shadowTexture, s).rg;
  vec3 up = mix(uHorizon, uZenith, 0.55);
  vec3 light = up * (1.0 - 0.85 * dark.g) + uSunColour * uSunDirection.z * (1.0 - dark.r);
  float ahead = p.x - uBeam.x, aside = abs(p.y) / (0.9 + 0.22 * max(ahead, 0.0));
  light += uBeam.y * vec3(1.0, 0.93, 0.78) * smoothstep(0.0, 2.0, ahead) * exp(-ahead * 0.13 - aside * aside);
  light += uBeam.z * vec3(0.5, 0.02, 0.01) * exp(-pow((p.x + uBeam.x + 0.8) / 1.1, 2.0) - p.y * p.y * 0.7);
  vec3 v = normalize(uEye - vPosition);
  vec3 n = normalize(vec3(0.10 * fine, 0.10 * broad, 1.0));
  float fresnel = 0.03 + 0.97 * fifth(1.0 - clamp(dot(n, v), 0.0, 1.0));
  vec3 c = base * light * mix(1.0, 0.55, uWet);
  c += uWet * fresnel * surroundings(reflect(-v, n), 1.0) * (1.0 - 0.8 * dark.g) * (0.8 + 0.8 * broad);
  gl_FragData[0] = vec4(developed(c), 1.0);
}
"""
)
