#include "storage/base/disk_faults.h"

namespace fog {

DiskFaults& disk_faults() {
  static DiskFaults faults;
  return faults;
}

}  // namespace fog
