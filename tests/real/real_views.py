"""What the cameras of the real county see: pictures that tell a scene, and ordinary days that tell none."""

from __future__ import annotations

from real_county import View

# Two or more cameras a scene, so that no test hangs on one score. All but the fires are held back from training:
# the first model sees none of the held-back flames above its threshold, so those cameras only show that a flame
# that is seen becomes an alert.
VIEWS = (
    View("hoarding-1", "site/val/images/sitecam_0019.jpg", ("perimeter_enclosure",)),
    View("hoarding-2", "site/val/images/sitecam_0021.jpg", ("perimeter_enclosure",)),
    View("roof-1", "site/val/images/krsite_0012.jpg", ("roof_addition", "scaffolding"), "scaffolding"),
    View("roof-2", "site/val/images/krsite_0092.jpg", ("roof_addition", "scaffolding"), "scaffolding"),
    View("stack-1", "site/val/images/krsite_0002.jpg", ("material_stacking", "scaffolding")),
    View("stack-2", "site/val/images/krsite_0008.jpg", ("material_stacking", "scaffolding")),
    View("trucks-1", "machinery/train/images/samos_0015.jpg", ("material_transport",)),
    View("trucks-2", "machinery/train/images/samos_0004.jpg", ("material_transport",)),
    View("digger-1", "site/val/images/krsiteb_0038.jpg", ("earthwork",)),
    View("digger-2", "machinery/train/images/samos_0018.jpg", ("earthwork",)),
    View("scaffold-1", "structures/train/images/abhc_022.jpg", ("scaffolding",)),
    View("shell-1", "structures/train/images/abhc_018.jpg", ("new_structure",)),
    View("shell-2", "structures/train/images/abhc_026.jpg", ("new_structure",)),
    View("fire-1", "air/train/images/ajfire_011.jpg", ("venue_fire",)),
    View("fire-2", "street/train/images/abonia_154.jpg", ("venue_fire",)),
    View("fire-3", "street/train/images/abonia_155.jpg", ("venue_fire",)),
    View("fire-4", "street/train/images/abonia_151.jpg", ("venue_fire",)),
    View("fire-5", "street/train/images/abonia_288.jpg", ("venue_fire",)),
    View("litter-1", "street/val/images/amsterdam_141.jpg", ("venue_sanitation",)),
    View("litter-2", "street/val/images/amsterdam_143.jpg", ("venue_sanitation",)),
    View("dust-1", "air/train/images/urdeweb_082.jpg", ("dust_plume",)),
    View("dust-2", "air/train/images/urde_048.jpg", ("dust_plume",)),
)

# Ordinary days: nothing in these pictures is anybody's case. None was trained on.
QUIET_VIEWS = (
    View("quiet-kitchen", "street/val/images/neg_abonia_309.jpg"),
    View("quiet-kerb", "street/val/images/neg_amsterdam_085.jpg"),
    View("quiet-crossing", "street/val/images/neg_jekhor_06.jpg"),
    View("quiet-water", "street/val/images/neg_zhangwater_0677.jpg"),
    View("quiet-hills", "air/train/images/dehazeweb_002.jpg"),
    View("quiet-haze", "air/train/images/dehazeweb_003.jpg"),
    View("quiet-hotel", "geo/eth_hotel_homography/frame.jpg"),
    View("quiet-slabs", "geo/ucy_slabs_measured/frame.jpg"),
    View("quiet-airport", "geo/seattle_airport_way/frame.jpg"),
    View("quiet-aurora", "geo/seattle_aurora/frame.jpg"),
    View("quiet-madison", "geo/seattle_madison/frame.jpg"),
    View("quiet-marion", "geo/seattle_marion/frame.jpg"),
    View("quiet-fog", "video/series/fog_to_sun_one_day"),
    View("quiet-people", "video/street_people.mp4"),
    View("quiet-parking", "video/parking_person_bicycle_car.mp4"),
    View("quiet-motorway", "video/clips/motorway_haze_trucks.mp4"),
    View("quiet-glare", "video/clips/motorway_sun_glare.mp4"),
    View("quiet-tunnel", "video/clips/motorway_tunnel_trucks.mp4"),
    View("quiet-snow", "video/clips/crossing_snow_truck.mp4"),
    View("quiet-highway", "video/clips/highway_cars.mp4"),
    View("quiet-river", "video/clips/river_bank.mp4"),
    View("quiet-shake", "video/clips/camera_shake_roll.mp4"),
    View("quiet-beijing", "video/clips/parking_street_beijing.mp4"),
)
